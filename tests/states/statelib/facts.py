"""Run in a host, prints what its disk does not say: packages, units, accounts, kernel settings, as one JSON object.

Every fact is a mapping of names to plain values, so that two hosts are compared name by name.
"""
import json
import os
import re
import subprocess


def ask(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout.splitlines()


def packages():
    lines = (line.split("\t") for line in ask("dpkg-query", "-W", "-f", "${Package}\t${Version}\t${db:Status-Abbrev}\n"))
    found = {name: f"{version} {status.strip()}" for name, version, status in lines}
    if os.path.exists("/usr/bin/rpm"):
        found.update((f"rpm {line}", "") for line in ask("rpm", "-qa"))
    return found


def marks():
    return {name: mark for mark in ("hold", "auto") for name in ask("apt-mark", f"show{mark}")}


# The host's own, which come and go by themselves, or start when somebody asks for them.
OWN = re.compile(r"(systemd-|user|session|run-|init\.|dbus|apt-|sys-|dev-|proc-|e2scrub|getty|logrotate|dpkg-db|emergency|rescue|modprobe|"
                 r"container-getty|console-getty|serial-getty|quotaon|initrd|man-db|-\.|tmp\.mount).*")


def units():
    files = {line.split()[0]: line.split()[1] for line in ask("systemctl", "list-unit-files", "--no-legend", "--plain")}
    return {name: state for name, state in files.items() if not OWN.match(name)}


def running():
    lines = ask("systemctl", "list-units", "--all", "--no-legend", "--plain", "--type", "service,socket,timer,mount,path,target")
    found = {line.split()[0]: " ".join(line.split()[1:4]) for line in lines}
    return {name: state for name, state in found.items()
            if not OWN.match(name) and name.endswith((".service", ".socket", ".timer", ".mount", ".path")) and "not-found" not in state}


def started():
    """When each running service started: a service that was restarted has another time."""
    blocks = "\n".join(ask("systemctl", "show", "*.service", "-p", "Id", "-p", "ExecMainStartTimestampMonotonic",
                           "-p", "ActiveState")).split("\n\n")
    shown = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
    return {unit["Id"]: unit.get("ExecMainStartTimestampMonotonic", "0") for unit in shown
            if "Id" in unit and unit.get("ActiveState") == "active" and not OWN.match(unit["Id"])}


def accounts():
    """Users and groups; of a password, only which kind it is, and how long it may be kept."""
    found = {}
    for database in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid"):
        try:
            with open(f"/etc/{database}") as f:
                lines = f.read().splitlines()
        except OSError:
            continue
        for line in lines:
            fields = line.split(":")
            if database == "shadow":
                fields[1] = kind(fields[1])
                fields[2] = "today" if fields[2].isdigit() and int(fields[2]) > 10000 else fields[2]
            if database == "gshadow":
                fields[1] = kind(fields[1])
            found[f"{database} {fields[0]}"] = ":".join(fields[1:])
    return found


def kind(password):
    return re.sub(r"(\$[0-9a-z]+\$).*", r"\1...", password)


# What the kernel counts or chooses by itself.
COUNTED = re.compile(r"(fs\.(dentry|inode|file-nr|quota|aio-nr|mount-nr)|kernel\.(random|ns_last_pid|pty|hostname|tainted|sched|perf)|vm\.stat|"
                     r"net\..*(nf_conntrack_count|route\.|tcp_mem|udp_mem|tcp_fastopen_key)|sunrpc|debug|dev\.cdrom).*")


def kernel():
    lines = (line.partition(" = ") for line in ask("sysctl", "-a"))
    return {name: value for name, _, value in lines if not COUNTED.match(name)}


def rules():
    if not os.path.exists("/usr/sbin/iptables-save"):
        return {}
    lines = [line for line in ask("/usr/sbin/iptables-save") if not line.startswith("#")]
    return {f"{number:03}": re.sub(r"\[\d+:\d+\]", "", line) for number, line in enumerate(lines)}


MARIADB = """\
select 'schema', schema_name, concat_ws(' ', default_character_set_name, default_collation_name) from information_schema.schemata;
select 'account', concat(user, '@', host), json_remove(priv, '$.password_last_changed') from mysql.global_priv;
select 'grant', concat_ws(' ', grantee, table_catalog, privilege_type), is_grantable from information_schema.user_privileges;
select 'grant', concat_ws(' ', grantee, table_schema, privilege_type), is_grantable from information_schema.schema_privileges;
select 'grant', concat_ws(' ', grantee, table_schema, table_name, privilege_type), is_grantable from information_schema.table_privileges;
"""
POSTGRES = """\
select 'database', datname, concat_ws(' ', pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datacl) from pg_database;
select 'role', rolname, concat_ws(' ', rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication) from pg_roles;
select 'member', pg_get_userbyid(member), pg_get_userbyid(roleid) from pg_auth_members;
"""


def databases():
    """What is in the host's databases: a server's files never are the same twice."""
    asked = []
    if os.path.exists("/run/mysqld/mysqld.sock"):
        asked += ask("mariadb", "-NBe", MARIADB)
    if os.path.exists("/run/postgresql/.s.PGSQL.5432"):
        asked += ask("runuser", "-u", "postgres", "--", "psql", "-XAtF", "\t", "-c", POSTGRES)
    return {f"{what} {name}": value for what, name, value in (line.split("\t", 2) for line in asked if line.count("\t") > 1)}


print(json.dumps({"package": packages(), "mark": marks(), "unit": units(), "running": running(), "started": started(),
                  "account": accounts(), "kernel": kernel(), "rule": rules(), "database": databases()}))
