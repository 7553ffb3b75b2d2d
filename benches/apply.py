#!/usr/bin/python3 -IS
"""How long it takes to find 30 states on each of 80 hosts as they should be: upshift beside the tools people use.

  benches/apply.py [--hosts 80] [--few 10] [--rounds 5] [--only upshift,pyinfra] [--keep]

peers.py has the work in the words of each tool. It is applied once by upshift; every measured run has to find that nothing is
to be changed, and say so, or the benchmark ends there. All connections use one key exchange, that which costs a client least.
  pushed      no connection is open, and the hosts have no agent: it is sent
  cold        no connection is open
  warm        connections are open
  preview     the same, changing nothing; then once more
upshift and the script (a tar of finished files and 30 checks in sh, over ssh) run in turn, --rounds times; pyinfra, twice,
and mitogen once. ansible and salt-ssh take minutes: they run once, and on --few of the hosts, where upshift runs once more.

UPSHIFT is the binary, by default the release build of this checkout; the others come from PyPI into BENCH_VENVS
(~/.cache/upshift-bench). LAB_DIR and LAB_CACHE are the lab's; a lab that is up already is used. Needs root.
CPU is of the controller's side alone, with every process it starts; `others` is that of all else on the machine.
"""
import io
import os
import re
import statistics
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import measure  # noqa: E402
import peers  # noqa: E402
from measure import LAB, read, spread  # noqa: E402

SELF = "upshift"


def main():
    parser = measure.arguments(__doc__, rounds=5)
    parser.add_argument("--few", type=int, default=10, help="how many hosts the slowest run on")
    parser.add_argument("--only", default=",".join(tool.name for tool in TOOLS), metavar="NAMES", help="only these tools")
    options = parser.parse_args()
    if options.inside:
        return Bench(options).run()
    return measure.on_lab(options, lambda: subprocess.run([LAB, "repo", peers.install()], check=True, stdout=sys.stderr))


class Tool:
    """How a tool is told to look after the work on some hosts, and how its output says that nothing changed."""

    few = False  # whether it is so slow that it runs on few hosts
    kinds = ["cold"]

    def __init__(self, bench, hosts):
        self.bench, self.hosts = bench, hosts
        self.folder = os.path.join(bench.scratch, f"{self.name}-{len(hosts)}")
        self.lay_out()

    def write(self, name, text):
        return self.bench.write(os.path.join(self.folder, name), text)

    def lay_out(self):
        """Writes what it needs besides the work."""

    def measure(self, found):
        """Its kinds, in turn."""
        for kind in self.kinds:
            self.once(found, kind, kind)
        self.close()

    def once(self, found, kind, how):
        with open(self.write("answers", "\n\n")) as answers:
            took = self.bench.once(self.command(how), cwd=self.folder, env=self.environment(), stdin=answers)
        if not self.is_unchanged(took.said):
            sys.exit(f"{self.name}, {kind}: it does not say that nothing changed:\n{took.said}")
        found.setdefault((len(self.hosts), self.name, kind), []).append(took)
        print(f"{self.name} {kind}: {took.wall:.2f} s", file=sys.stderr)

    def environment(self):
        return os.environ

    def close(self):
        """Nothing of it goes on."""
        self.bench.group.empty()


class Upshift(Tool):
    name, rounds = SELF, 5

    def lay_out(self):
        os.makedirs(self.folder)

    def command(self, how, inventory="curve"):
        extra = ["--preview"] if how.startswith("preview") else []
        return [self.bench.upshift, "apply", "-i", self.bench.inventory[inventory], "-r", self.bench.sls, *extra,
                self.bench.selector(self.hosts), "bench"]

    def is_unchanged(self, said):
        n = len(self.hosts)
        return f"{n * peers.STATES} states on {n} hosts: {n * peers.STATES} unchanged" in said

    def measure(self, found):
        self.bench.on_hosts(self.hosts, "rm -rf /var/lib/upshift")
        self.once(found, "pushed", "apply")
        self.close()
        for kind in ["cold", "warm", "preview", "preview again"]:
            self.once(found, kind, kind)
        self.close()


class Script(Tool):
    name, rounds, kinds = "sh", 5, ["cold", "warm"]

    def lay_out(self):
        for host in self.hosts:
            self.write(f"{host}.tar", "")
            with tarfile.open(os.path.join(self.folder, f"{host}.tar"), "w") as tar:
                files = {n: peers.rendered(n, host) for n in peers.FILES}
                for name, text in {"apply": peers.SCRIPT, **files}.items():
                    entry = tarfile.TarInfo(name)
                    entry.size = len(text.encode())
                    tar.addfile(entry, io.BytesIO(text.encode()))

    def command(self, how):
        *xargs, ssh, option, config = self.bench.ssh(self.hosts, "curve")
        master = f"-S {self.bench.scratch}/{{}}" if how == "warm" else ""
        remote = "d=$(mktemp -d) && tar -xC $d && sh $d/apply; code=$?; rm -r $d; exit $code"
        return [*xargs, "sh", "-c", f"{ssh} {option} {config} {master} {{}} '{remote}' <{{}}.tar"]

    def is_unchanged(self, said):
        return said.splitlines() == ["changed=0"] * len(self.hosts)


class Pyinfra(Tool):
    name, rounds, kinds = "pyinfra", 2, ["cold", "preview"]

    def lay_out(self):
        lab = self.bench.lab
        hosts = [(host, {"ssh_hostname": self.bench.address[host]}) for host in self.hosts]
        self.write("inventory.py", f"hosts = {hosts!r}\n")
        self.write("group_data/all.py", f"ssh_user = 'root'\nssh_key = '{lab}/keys/id_ed25519'\n"
                   f"ssh_known_hosts_file = '{lab}/known_hosts'\nssh_strict_host_key_checking = 'yes'\n"
                   "ssh_config_file = '/dev/null'\nssh_look_for_keys = False\nssh_allow_agent = False\n")
        self.write("deploy.py", peers.DEPLOY)

    def command(self, how):
        return [peers.program("pyinfra", "pyinfra"), *(["--dry"] if how == "preview" else []), "inventory.py", "deploy.py"]

    def is_unchanged(self, said):
        # Its table of changes has a row an operation, with a dash for none; a command that is not needed is no operation.
        return len(re.findall(r"\) +- +- *$", said, re.MULTILINE)) == peers.STATES - len(peers.COMMANDS)


class Ansible(Tool):
    name, rounds, few, strategy, kinds = "ansible", 1, True, "", ["cold", "warm"]

    def lay_out(self):
        addresses = "".join(f"{host} ansible_host={host}\n" for host in self.hosts)
        self.write("hosts.ini", f"[all]\n{addresses}[all:vars]\nansible_python_interpreter=/usr/bin/python3\nansible_user=root\n")
        self.write("playbook.yml", peers.PLAYBOOK)
        self.write("ansible.cfg", f"[defaults]\ninventory=hosts.ini\nforks={len(self.bench.hosts)}\nhost_key_checking=True\n{self.strategy}"
                   f"local_tmp={self.folder}/tmp\n[ssh_connection]\npipelining=True\ncontrol_path_dir={self.bench.scratch}\n"
                   f"control_path=%(directory)s/{self.name[0]}-%%h\n"
                   f"ssh_args=-F {self.bench.config['curve']} -C -o ControlMaster=auto -o ControlPersist=600s\n")

    def environment(self):
        return {**os.environ, "ANSIBLE_CONFIG": os.path.join(self.folder, "ansible.cfg"), "ANSIBLE_HOME": self.folder}

    def command(self, how):
        return [peers.program("ansible", "ansible-playbook"), "playbook.yml"]

    def is_unchanged(self, said):
        recap = [line for line in said.splitlines() if " ok=" in line]
        return len(recap) == len(self.hosts) and all(" changed=0 " in line and " failed=0 " in line for line in recap)


class Mitogen(Ansible):
    name, few, kinds = "mitogen", False, ["cold"]
    strategy = ("strategy=mitogen_linear\n"
                f"strategy_plugins={peers.CACHE}/ansible/lib/python3.11/site-packages/ansible_mitogen/plugins/strategy\n")


class SaltSsh(Tool):
    name, rounds, few = "salt-ssh", 1, True

    def lay_out(self):
        lab = self.bench.lab
        self.write("conf/master", f"root_dir: {self.folder}\nuser: root\nfile_roots: {{base: [{self.bench.sls}]}}\n"
                   f"ssh_max_procs: {len(self.bench.hosts)}\nlog_level: warning\n")
        self.write("conf/roster", "".join(
            f"{host}: {{host: {self.bench.address[host]}, user: root, priv: {lab}/keys/id_ed25519, timeout: 30, ssh_options: "
            f"[UserKnownHostsFile={lab}/known_hosts, StrictHostKeyChecking=yes, {measure.CURVE.replace(' ', '=')}]}}\n"
            for host in self.hosts))
        # The first run sends Salt itself, which is not what is measured.
        self.bench.once(self.command("cold"), cwd=self.folder)

    def command(self, how):
        return [peers.program("salt", "salt-ssh"), "--config-dir", os.path.join(self.folder, "conf"), "--no-color", "*", "state.apply", "bench"]

    def is_unchanged(self, said):
        return said.count(f"Succeeded: {peers.STATES}\n") == len(self.hosts) and said.count("Failed:     0\n") == len(self.hosts)


TOOLS = [Upshift, Script, Pyinfra, Mitogen, Ansible, SaltSsh]


class Bench(measure.Bench):
    def __init__(self, options):
        super().__init__(options)
        self.only = options.only.split(",")
        self.few = self.hosts[:options.few]
        self.address = dict(line.split()[:2] for line in read(os.path.join(self.lab, "hosts")).splitlines())
        self.sls = os.path.join(self.scratch, "sls")
        self.write("sls/bench/init.sls", peers.sls())
        for n in peers.FILES:
            self.write(f"sls/bench/{n}.j2", peers.template(n))

    def on_hosts(self, hosts, script):
        """Runs something that is not measured."""
        subprocess.run([*self.ssh(hosts), "-S", f"{self.scratch}/{{}}", "{}", script], check=True, stdout=subprocess.DEVNULL)

    def measure(self):
        self.say_machine(*peers.versions())
        self.open_masters()
        self.on_hosts(self.hosts, peers.UNITS)
        tools = [tool for tool in TOOLS if tool.name in self.only]
        if any(issubclass(tool, Ansible) for tool in tools):
            self.on_hosts(self.hosts, "apt-get update -qq && apt-get install -qq -y python3-apt >/dev/null 2>&1")
        first = Upshift(self, self.hosts)
        self.once(first.command("apply"), cwd=first.folder)
        first.close()
        found = {}
        for hosts in [self.hosts, self.few]:
            here = [first if tool is Upshift and hosts is self.hosts else tool(self, hosts) for tool in tools
                    if hosts is self.few or not tool.few]
            rounds = self.rounds if hosts is self.hosts else 1
            for n in range(rounds):
                for tool in here[::-1] if n % 2 else here:
                    if n < tool.rounds:
                        tool.measure(found)
        self.say_load("medians (lowest to highest)")
        self.table(found)

    def table(self, found):
        print(f"{'hosts':>5}  {'':9} {'':14}{'wall s':>24}{'times':>7}{'CPU s':>24}{'times':>7}{'others':>8}")
        median = {key: [statistics.median(getattr(took, what) for took in tooks) for what in ("wall", "cpu", "others")]
                  for key, tooks in found.items()}
        for (hosts, name, kind), tooks in found.items():
            base = median.get((hosts, "pyinfra", "cold"))
            cells = ""
            for at, what in enumerate(["wall", "cpu"]):
                times = f"{base[at] / median[hosts, name, kind][at]:.1f}" if base else ""
                cells += f"{spread([getattr(took, what) for took in tooks]):>24}{times:>7}"
            print(f"{hosts:>5}  {name:9} {kind:14}{cells}{median[hosts, name, kind][2]:>8.1f}")


if __name__ == "__main__":
    sys.exit(main())
