"""The tools that upshift is compared with: their versions, and a formula of 30 states in the words of each.

4 folders, a group, a user, 4 packages, 12 files from templates, 3 symlinks, 3 services, 2 commands with a condition: the same
end on the host whichever tool comes first. All of them check host keys, against the lab's known_hosts.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
CACHE = os.environ.get("BENCH_VENVS") or os.path.expanduser("~/.cache/upshift-bench")
# Each in an environment of its own; Salt with what is known to go with it.
PINNED = {
    "pyinfra": ["pyinfra==3.10.0"],
    "ansible": ["ansible-core==2.19.14", "mitogen==0.3.54"],
    "salt": ["-r", os.path.join(HERE, "tests/conformance/requirements.txt")],
}
# What Ansible's `apt` needs on a host.
DEBS = ["python3-apt", "python-apt-common", "distro-info-data"]

FOLDERS = ["/etc/bench", "/etc/bench/conf.d", "/var/lib/bench", "/var/log/bench"]
PACKAGES = ["curl", "less", "procps", "sudo"]
SERVICES = ["ssh", "bench-a", "bench-b"]
FILES = [f"{n:02}" for n in range(1, 13)]
LINKS, COMMANDS = FILES[:3], ["1", "2"]
USER, ID, HOME = "bench", 4201, "/var/lib/bench"
STATES = len(FOLDERS + PACKAGES + SERVICES + FILES + LINKS + COMMANDS) + 2

# What the services are: no tool makes them.
UNITS = "\n".join(f"printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' "
                  f">/etc/systemd/system/{name}.service" for name in SERVICES[1:]) + "\nsystemctl daemon-reload\n"


def install():
    """Makes the environments, and fetches what hosts need for Ansible; says where each is."""
    for name, pinned in PINNED.items():
        stamp = os.path.join(CACHE, name, "pinned")
        if not os.path.exists(stamp) or open(stamp).read() != "\n".join(pinned):
            subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", os.path.join(CACHE, name)], check=True, stdout=sys.stderr)
            subprocess.run([program(name, "pip"), "install", "--quiet", "--disable-pip-version-check", *pinned],
                           check=True, stdout=sys.stderr)
            with open(stamp, "w") as f:
                f.write("\n".join(pinned))
    debs = os.path.join(CACHE, "debs")
    if not os.path.isdir(debs):
        os.makedirs(f"{debs}.new", exist_ok=True)
        subprocess.run(["apt-get", "download", "-qq", *DEBS], check=True, cwd=f"{debs}.new", stdout=sys.stderr)
        os.rename(f"{debs}.new", debs)
    return debs


def program(venv, name):
    return os.path.join(CACHE, venv, "bin", name)


def versions():
    """Of what is in the environments."""
    def of(venv, *names):
        names = ", ".join(repr(name) for name in names)
        code = f"from importlib.metadata import version; print(*[n + ' ' + version(n) for n in ({names},)], sep=', ')"
        return subprocess.run([program(venv, "python"), "-c", code], capture_output=True, text=True).stdout.strip()

    return [of("pyinfra", "pyinfra"), of("ansible", "ansible-core", "mitogen"), of("salt", "salt").replace("salt", "salt-ssh")]


# -- the work ---------------------------------------------------------------------------------------------

def template(n):
    """The same in every dialect: no line ends in a tag, and the file does."""
    return (f"# file {n} of {{{{ hostname }}}}, release {{{{ release }}}}\n[section{n}]\nhost = {{{{ hostname }}}}\n"
            "{% if release == '1' %}mode = first\n{% else %}mode = later\n{% endif %}"
            f"{{% for n in range(18) %}}option_{{{{ n }}}}_of_{n} = value-{{{{ release }}}}-{{{{ n * 17 }}}} # {'padding ' * 8}\n"
            "{% endfor %}")


def rendered(n, host):
    """What comes of a template, for the script, which has none."""
    options = "".join(f"option_{i}_of_{n} = value-1-{i * 17} # {'padding ' * 8}\n" for i in range(18))
    return f"# file {n} of {host}, release 1\n[section{n}]\nhost = {host}\nmode = first\n{options}"


def sls():
    """For upshift and for Salt."""
    def state(label, function, *arguments, **more):
        lines = [{key: value} for key, value in more.items()] + list(arguments)
        return f"{label}:\n  {function}:\n" + "".join(f"    - {json.dumps(line)}\n" for line in lines)

    mine = {"user": "root", "group": "root"}
    text = "{% set context = {'hostname': grains['id'], 'release': pillar.get('release', '1')} %}\n"
    text += "".join(state(path, "file.directory", mode="0755", **mine) for path in FOLDERS)
    text += state("bench-group", "group.present", {"require": [{"file": FOLDERS[0]}]}, name=USER, gid=ID)
    text += state("bench-user", "user.present", {"require": [{"group": "bench-group"}]}, name=USER, uid=ID, gid=ID, home=HOME,
                  createhome=False, shell="/bin/sh")
    text += "".join(state(name, "pkg.installed", name=name) for name in PACKAGES)
    for n in FILES:
        text += state(f"/etc/bench/conf.d/{n}.conf", "file.managed", {"require": [{"file": FOLDERS[1]}]}, source=f"salt://bench/{n}.j2",
                      template="jinja", mode="0644", **mine)
        text += "    - context: {{ context | json }}\n"
    text += "".join(state(f"/etc/bench/link{n}", "file.symlink", target=f"/etc/bench/conf.d/{n}.conf") for n in LINKS)
    text += "".join(state(f"service-{name}", "service.running", name=name, enable=True) for name in SERVICES)
    return text + "".join(state(f"touch {HOME}/{n}", "cmd.run", unless=f"test -f {HOME}/{n}") for n in COMMANDS)


PLAYBOOK = f"""
- hosts: all
  vars: {{hostname: "{{{{ inventory_hostname }}}}", release: '1'}}
  tasks:
    - file: {{path: "{{{{ item }}}}", state: directory, mode: '0755', owner: root, group: root}}
      loop: {json.dumps(FOLDERS)}
    - group: {{name: {USER}, gid: {ID}}}
    - user: {{name: {USER}, uid: {ID}, group: {USER}, home: {HOME}, create_home: false, shell: /bin/sh}}
    - apt: {{name: {json.dumps(PACKAGES)}, state: present}}
    - template: {{src: "../sls/bench/{{{{ item }}}}.j2", dest: "/etc/bench/conf.d/{{{{ item }}}}.conf", mode: '0644', owner: root, group: root}}
      loop: {json.dumps(FILES)}
    - file: {{src: "/etc/bench/conf.d/{{{{ item }}}}.conf", dest: "/etc/bench/link{{{{ item }}}}", state: link}}
      loop: {json.dumps(LINKS)}
    - systemd_service: {{name: "{{{{ item }}}}", state: started, enabled: true}}
      loop: {json.dumps(SERVICES)}
    - command: {{cmd: "touch {HOME}/{{{{ item }}}}", creates: "{HOME}/{{{{ item }}}}"}}
      loop: {json.dumps(COMMANDS)}
"""

DEPLOY = f"""
from pyinfra import host
from pyinfra.facts.files import File
from pyinfra.operations import apt, files, server, systemd

for path in {FOLDERS}:
    files.directory(path=path, mode="755", user="root", group="root")
server.group(group="{USER}", gid={ID})
server.user(user="{USER}", uid={ID}, group="{USER}", home="{HOME}", create_home=False, ensure_home=False, shell="/bin/sh")
for name in {PACKAGES}:
    apt.packages(packages=[name])
for n in {FILES}:
    files.template(src=f"../sls/bench/{{n}}.j2", dest=f"/etc/bench/conf.d/{{n}}.conf", mode="644", user="root", group="root",
                   hostname=host.name, release="1")
for n in {LINKS}:
    files.link(path=f"/etc/bench/link{{n}}", target=f"/etc/bench/conf.d/{{n}}.conf")
for name in {SERVICES}:
    systemd.service(service=name, running=True, enabled=True)
for n in {COMMANDS}:
    if not host.get_fact(File, path=f"{HOME}/{{n}}"):
        server.shell(commands=[f"touch {HOME}/{{n}}"])
"""

SCRIPT = f"""
set -eu
cd "$(dirname "$0")"
changed=0
did() {{ changed=$((changed + 1)); }}
is() {{ [ "$(stat -c '%F %a %U %G' "$1" 2>/dev/null)" = "$2 root root" ]; }}
for path in {' '.join(FOLDERS)}; do
  is "$path" 'directory 755' || {{ mkdir -p "$path"; chown root:root "$path"; chmod 755 "$path"; did; }}
done
[ "$(getent group {USER} | cut -d: -f3)" = {ID} ] || {{ groupadd -g {ID} {USER}; did; }}
[ "$(getent passwd {USER} | cut -d: -f3,4,6,7)" = {ID}:{ID}:{HOME}:/bin/sh ] || {{ useradd -u {ID} -g {ID} -d {HOME} -M -s /bin/sh {USER}; did; }}
for name in {' '.join(PACKAGES)}; do
  [ "$(dpkg-query -W -f '${{db:Status-Status}}' "$name" 2>/dev/null)" = installed ] || {{ apt-get install -qq -y "$name"; did; }}
done
for n in {' '.join(FILES)}; do
  path=/etc/bench/conf.d/$n.conf
  cmp -s "$n" "$path" && is "$path" 'regular file 644' || {{ install -m 644 -o root -g root "$n" "$path"; did; }}
done
for n in {' '.join(LINKS)}; do
  [ "$(readlink /etc/bench/link$n)" = /etc/bench/conf.d/$n.conf ] || {{ ln -sfn /etc/bench/conf.d/$n.conf /etc/bench/link$n; did; }}
done
for name in {' '.join(SERVICES)}; do
  systemctl -q is-active "$name" && systemctl -q is-enabled "$name" || {{ systemctl -q enable --now "$name"; did; }}
done
for n in {' '.join(COMMANDS)}; do
  [ -f {HOME}/$n ] || {{ touch {HOME}/$n; did; }}
done
echo changed=$changed
"""
