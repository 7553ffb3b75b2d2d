"""The shipped formulas' own cases, as hosts can have them: on Debian 12, one after the other where one needs another.

Debian's own packages where a host of the lab can run them, stand-ins for the rest.
"""
from dataclasses import dataclass, field
from pathlib import Path

from .debs import Package

FAMILIES = Path(__file__).resolve().parent.parent / "families"
FORMULAS = Path(__file__).resolve().parent.parent.parent.parent / "formulas"
REAL = ["chrony", "haproxy", "kmod", "memcached", "mariadb-server", "mariadb-client", "mariadb-backup", "python3-pymysql"]

# What has to be on a host before a case, as Debian has it on hosts that are no containers.
BEFORE = {"opencontrail/compute-debian": ["kmod"], "opencontrail/control-ubuntu": ["cassandra"], "mariadb/debian-server": ["python3-pymysql"],
          "nova/compute-debian": ["python3-openstackclient", "cloud-access"], "repository/laboratory": ["apt-proxy"],
          "mariadb/galera-founder": ["python3-pymysql", "mariadb-backup"], "mariadb/galera-joiner": ["mariadb-backup"]}
# What makes a host the one that a case is about.
COMMANDS = {
    # Salt leaves `trusted=yes` out when it looks for a repository, so it finds this one, which the image has in another file,
    # not to be configured, and adds it a second time. upshift finds it.
    "repository/laboratory": [": >/etc/apt/sources.list"],
}

# Cases that are applied to one host, one after the other.  The cases for Ubuntu are those whose formulas need no Ubuntu.
# First those that every build has time for, each formula among them; the longest begin first.
QUICK = [
    ["mariadb/debian-server"],
    ["nova/compute-debian", "nova/upgrade-compute"],
    ["keystone/debian-single", "keystone/upgrade-packages", "keystone/upgrade-all-phases"],
    ["chrony/debian"],
    ["haproxy/debian"],
    ["memcached/debian"],
    ["rabbitmq/cluster-joiner"],
    ["opencontrail/compute-laboratory"],
    ["openssh/debian"],
    ["repository/debian-signed"],
]
SCENARIOS = [
    ["chrony/debian"],
    ["haproxy/debian"],
    ["haproxy/ubuntu-tls-galera"],
    ["memcached/debian"],
    ["openssh/debian"],
    ["repository/laboratory"],
    ["repository/debian-signed"],
    ["rabbitmq/debian"],
    ["rabbitmq/cluster-joiner"],
    ["rabbitmq/cluster-seed"],
    ["keystone/debian-single", "keystone/upgrade-packages", "keystone/upgrade-all-phases"],
    ["keystone/debian-ha-second", "keystone/upgrade-second-host"],
    ["nova/controller-debian", "nova/upgrade-controller", "nova/upgrade-newest", "nova/upgrade-pin-released"],
    ["nova/controller-second"],
    ["nova/compute-debian", "nova/upgrade-compute", "nova/upgrade-post-compute"],
    ["opencontrail/compute-laboratory"],
    ["opencontrail/compute-debian", "opencontrail/upgrade-compute", "opencontrail/upgrade-post"],
    ["opencontrail/control-ubuntu", "opencontrail/upgrade-control"],
    ["opencontrail/database-debian"],
    ["mariadb/debian-server"],
    ["mariadb/galera-founder"],
    ["mariadb/galera-joiner"],
]

# Addresses of the small cloud that the cases are about: whoever asks them asks the host itself.
PEERS = "10.0.0.1 10.0.0.10 10.0.0.11 10.0.0.12 10.0.0.13"


def marked(path):
    return f"mkdir -p {path.rsplit('/', 1)[0]} && touch {path}"


KEYSTONE = f"""\
case "$*" in
  "db_sync --check") [ -e /var/lib/keystone/synced ] || exit 2 ;;
  db_sync*) {marked("/var/lib/keystone/synced")} ;;
  fernet_setup* | credential_setup*)
    keys=/etc/keystone/${{1%_setup}}-keys
    install -d -m 700 -o keystone -g keystone "$keys" && install -m 600 -o keystone -g keystone /dev/null "$keys/0" ;;
  bootstrap*) [ -n "$OS_BOOTSTRAP_PASSWORD" ] && touch /var/lib/keystone/bootstrapped ;;
  *) exit 1 ;;
esac"""
NOVA = """\
at=/var/lib/nova
case "$*" in
  "api_db version" | "db version") cat "$at/$1" 2>/dev/null || echo 0 ;;
  "api_db sync" | "db sync") echo 400 >"$at/$1" ;;
  "cell_v2 list_cells") cat "$at/cells" 2>/dev/null || true ;;
  "cell_v2 map_cell0"*) grep -qs cell0 "$at/cells" || echo cell0 >>"$at/cells" ;;
  "cell_v2 create_cell"*) echo "$4" >>"$at/cells" ;;
  "db online_data_migrations") ;;
  *) exit 1 ;;
esac"""
OPENSTACK = """\
at=/var/lib/openstack-stand-in
[ -n "$OS_PASSWORD" ] || exit 1
case "$*" in
  "token issue"*) [ -e /var/lib/keystone/bootstrapped ] ;;
  *"--disable --disable-reason"*) mkdir -p "$at" && echo "$6" >"$at/reason" ;;
  *"service set --enable"*) rm -f "$at/reason" ;;
  *"-c Disabled Reason") cat "$at/reason" 2>/dev/null || echo 'train 2025.1' ;;
  *"-c Status") [ -e "$at/reason" ] && echo disabled || echo enabled ;;
  *) echo "nova-compute cmp001 enabled up" ;;
esac"""
RABBIT = """\
at=/var/lib/rabbitmq
case "$*" in
  await_startup | "stop_app" | "start_app") ;;
  import_definitions*) cp "$2" "$at/imported" ;;
  "list_users --quiet") [ -e "$at/no-guest" ] || echo "guest [administrator]" ;;
  "delete_user guest") touch "$at/no-guest" ;;
  cluster_status) cat "$at/cluster" 2>/dev/null || true ;;
  join_cluster*) echo "$2" >"$at/cluster" ;;
  *) exit 1 ;;
esac"""


def stand_ins():
    """What there is of the packages that Debian does not have, or that are too much for a small host."""
    packages = []
    for version in ("2:22.0.0-2", "2:25.0.0-3~bpo12+1"):
        packages += [
            Package("keystone", version, "keystone", {"keystone": 5000},
                    {"keystone-manage": KEYSTONE, "keystone-status": "exit 0"},
                    {"etc/keystone/keystone.conf": "[DEFAULT]\n"}, "python3-keystone"),
            Package("python3-keystone", version),
        ]
    packages += [Package("python3-memcache"), Package("python3-openstackclient", commands={"openstack": OPENSTACK}),
                 Package("cloud-access", files={"root/keystonerc": "export OS_PASSWORD=secret\n"})]
    for version in ("2:26.2.2-1", "2:31.0.0-1"):
        packages += [
            Package("nova-common", version, "nova", commands={"nova-manage": NOVA, "nova-status": "exit 0"},
                    files={"etc/nova/nova.conf": "[DEFAULT]\n"}),
            Package("python3-nova", version),
            Package("nova-api", version, services={"nova-api": 8774, "nova-api-metadata": 0}, depends="nova-common"),
            Package("nova-conductor", version, services={"nova-conductor": 0}, depends="nova-common"),
            Package("nova-scheduler", version, services={"nova-scheduler": 0}, depends="nova-common"),
            Package("nova-consoleproxy", version, services={"nova-novncproxy": 0}, depends="nova-common"),
            Package("nova-compute", version, services={"nova-compute": 0}, depends="nova-common, nova-compute-kvm"),
            Package("nova-compute-kvm", version, services={"libvirtd": 0}, commands={"virsh": "exit 0"}),
        ]
    packages.append(Package("apt-proxy", services={"apt-proxy": 3128}))
    packages.append(Package("nova-novncproxy", services={"nova-novncproxy": 0}, depends="nova-common"))
    for version in ("3.0.2", "3.1.1"):
        packages += [
            Package("contrail-nodemgr", version, "contrail", {"contrail-vrouter-nodemgr": 0, "contrail-control-nodemgr": 0},
                    folders=("etc/contrail",)),
            Package("contrail-utils", version),
            Package("contrail-vrouter-dkms", version),
            Package("contrail-config", version, "", {"contrail-discovery": 0, "contrail-api": 8082, "contrail-schema": 0,
                                                     "contrail-svc-monitor": 0}, depends="contrail-nodemgr"),
            Package("contrail-control", version, services={"contrail-control": 8083}, depends="contrail-nodemgr"),
            Package("contrail-dns", version, services={"contrail-dns": 0}, depends="contrail-nodemgr"),
        ]
    packages += [
        # The lab's own agent does not say that it is connected.
        Package("contrail-vrouter-agent", "3.1.1", services={"contrail-vrouter-agent": 8085}),
        Package("zookeeper", "3.8.0", "zookeeper"),
        Package("zookeeperd", "3.8.0", services={"zookeeper": 2181}, depends="zookeeper"),
        Package("cassandra", "2.1.22", "cassandra", {"cassandra": 0}, {"nodetool": "echo 'UN  10.0.0.13 '"}),
        Package("kafka", "2.8.1", "kafka", {"kafka": 0}),
        Package("rabbitmq-server", "3.10.8", "rabbitmq", {"rabbitmq-server": 5672}, {"rabbitmqctl": RABBIT},
                folders=("etc/rabbitmq",)),
    ]
    return packages


@dataclass
class Case:
    """What is applied at once, and to which host."""

    name: str
    sls: list
    pillar: object
    tree: list
    identity: str
    # Packages that are there before, and commands that make the host what the case is about.
    packages: list = field(default_factory=list)
    commands: list = field(default_factory=list)
    # Formulas of the case's own: the name of an SLS, and its text.
    texts: dict = field(default_factory=dict)


def refused(read):
    """The cases that are refused before anything is touched, one after the other on one host."""
    paths = sorted(FORMULAS.glob("*/tests/*.yaml"))
    return [f"{path.parent.parent.name}/{path.stem}" for path in paths if "error" in read(path.read_text(encoding="utf8"))]


def case(name, read):
    """A case of a shipped formula; `read` reads YAML as Salt does."""
    formula, _, stem = name.partition("/")
    found = read((FORMULAS / formula / "tests" / f"{stem}.yaml").read_text(encoding="utf8"))
    grains = found.get("grains")
    grains = {**read((FORMULAS / "tests-grains.yaml").read_text(encoding="utf8"))["debian-12"],
              **(grains if isinstance(grains, dict) else {})}
    sls = found["sls"] if isinstance(found["sls"], list) else [found["sls"]]
    return Case(name, sls, found.get("pillar") or {}, [FORMULAS], identity(grains), BEFORE.get(name, []),
                COMMANDS.get(name, []))


def family(path, read):
    """The steps of a family of state functions, which are for one host: the next finds what the last has left."""
    found = read(path.read_text(encoding="utf8"))
    host = identity(read((FORMULAS / "tests-grains.yaml").read_text(encoding="utf8"))["debian-12"])
    before, steps = found.get("before"), []
    for number, step in enumerate(found["steps"]):
        commands = [text for text in (None if number else before, step.get("before")) if text]
        name = f"step{number}"  # another each time: Salt keeps what it has read
        steps.append(Case(f"{path.stem}: {step['name']}", [name], {}, [], host, found.get("install", []), commands,
                          {name: step["sls"]}))
    return steps


def family_packages(read):
    """What the families need of Debian's own packages."""
    return sorted({name for path in FAMILIES.glob("*.yaml") for name in read(path.read_text(encoding="utf8")).get("install", [])})


def identity(grains):
    """Makes a host answer with a case's grains: its name, addresses and interfaces are real ones."""
    fqdn, address = grains["fqdn"], grains["fqdn_ip4"][0]
    links = "".join(f"ip link add {name} type bridge\n" + "".join(f"ip addr add {a}/24 dev {name}\n" for a in addresses)
                    for name, addresses in grains["ip4_interfaces"].items() if name not in ("lo", "eth0"))
    return f"""set -e
hostname {grains["host"]}
echo {grains["host"]} >/etc/hostname
printf '127.0.0.1 localhost\\n{address} {fqdn} {grains["host"]}\\n198.18.0.1 lab-repo\\n' >/etc/hosts
for address in {address} {PEERS}; do ip addr add $address/32 dev lo 2>/dev/null || true; done
{links}"""
