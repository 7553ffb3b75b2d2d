"""What benchmarks on a lab of real hosts share: the lab, the CPU of the controller's side, and what is said of the machine.

A benchmark runs twice: as the person started it, and from there once more inside the lab's network, the only place that
hosts are reachable from. CPU is that of every process that a measured command starts, also of those that outlive it.
"""
import argparse
import collections
import glob
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
LAB = os.environ.get("LAB") or os.path.join(HERE, "tests/lab/lab")
CURVE = "KexAlgorithms curve25519-sha256"

# What a command took, in seconds, and what it said. `others` is the CPU of everything else on the machine: the hosts, when
# nothing else runs.
Took = collections.namedtuple("Took", "wall cpu others said")


def arguments(doc, rounds):
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser


def on_lab(options, prepare=lambda: None):
    """Runs this program again inside a lab: one that is up already is used and left as it is."""
    os.environ["UPSHIFT"] = upshift = os.path.abspath(os.environ.get("UPSHIFT") or built())
    if not os.access(upshift, os.X_OK):
        sys.exit(f"{upshift}: no such program: `cargo build --release`, or UPSHIFT=PATH")
    os.environ.setdefault("LAB_DIR", f"/run/upshift-bench-{os.getpid()}")
    was_up = os.path.exists(os.path.join(os.environ["LAB_DIR"], "inventory.toml"))
    try:
        subprocess.run([LAB, "up", str(options.hosts)], check=True, stdout=sys.stderr)
        prepare()
        return subprocess.run([LAB, "net", sys.executable, "-IS", os.path.realpath(sys.argv[0]), *sys.argv[1:],
                               "--inside", os.environ["LAB_DIR"]]).returncode
    finally:
        if not (options.keep or was_up):
            subprocess.run([LAB, "down"])


def built():
    target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(HERE, "target")
    found = glob.glob(f"{target}/*/release/upshift") + [f"{target}/release/upshift"]
    return max(filter(os.path.exists, found), key=os.path.getmtime, default=found[-1])


class Group:
    """A control group that counts what the processes in it use, also those that outlive their parents."""

    def __init__(self, name):
        v1 = "/sys/fs/cgroup/cpuacct"
        self.v1 = os.path.isdir(v1)
        v2 = next((line.split()[1] for line in open("/proc/mounts") if line.split()[2] == "cgroup2"), None)
        self.path = os.path.join(v1 if self.v1 else v2, f"upshift-bench-{os.getpid()}-{name}")
        os.mkdir(self.path)

    def cpu(self):
        if self.v1:
            return int(read(f"{self.path}/cpuacct.usage")) / 1e9
        return int(read(f"{self.path}/cpu.stat").split()[1]) / 1e6

    def join(self):
        with open(f"{self.path}/cgroup.procs", "w") as f:
            f.write("0")

    def pids(self):
        return [int(pid) for pid in read(f"{self.path}/cgroup.procs").split()]

    def empty(self):
        while pids := self.pids():
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGTERM)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)

    def remove(self):
        self.empty()
        os.rmdir(self.path)


class Bench:
    """A benchmark inside the lab: its folder, its hosts, and two groups, that of `masters` for what is open beforehand."""

    def __init__(self, options):
        self.lab, self.rounds, self.upshift = options.inside, options.rounds, os.environ["UPSHIFT"]
        self.hosts = [f"cmp{n:03}" for n in range(1, options.hosts + 1)]
        self.scratch = tempfile.mkdtemp(prefix="upb-")
        self.masters, self.group = Group("masters"), Group("measured")
        self.config = {"": os.path.join(self.lab, "ssh_config")}
        self.config["curve"] = self.write("ssh_config", f"{CURVE}\n" + read(self.config[""]))
        inventory = read(os.path.join(self.lab, "inventory.toml"))
        self.inventory = {kind: self.write(f"inventory{kind}.toml", inventory.replace('"ssh_config"', f'"{config}"'))
                          for kind, config in self.config.items()}
        os.environ["XDG_RUNTIME_DIR"] = self.scratch
        self.loads = [os.getloadavg()[0]]

    def run(self):
        try:
            self.measure()
        finally:
            for group in self.group, self.masters:
                group.remove()
            shutil.rmtree(self.scratch)

    def write(self, name, text):
        path = os.path.join(self.scratch, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def selector(self, hosts):
        # By number: a lab that was up already may have more hosts.
        return f"cmp[{hosts[0][3:]}-{hosts[-1][3:]}]"

    def ssh(self, hosts, kind=""):
        """The beginning of a command that is run for all of the hosts at once, as `{}`."""
        listed = self.write(f"hosts{len(hosts)}", "\n".join(hosts) + "\n")
        return ["xargs", "-a", listed, "-P", str(len(hosts)), "-I{}", "ssh", "-F", self.config[kind]]

    def open_masters(self):
        subprocess.run([*self.ssh(self.hosts), "-M", "-N", "-f", "-S", f"{self.scratch}/{{}}", "{}"], check=True,
                       preexec_fn=self.masters.join, stderr=subprocess.DEVNULL)

    def once(self, command, sample=None, **more):
        """Runs a command in the group. It has to succeed."""
        def cpu():
            return self.group.cpu() + self.masters.cpu()

        with tempfile.TemporaryFile("w+", dir=self.scratch) as out:
            before, busy_before, begun = cpu(), busy(), time.monotonic()
            child = subprocess.Popen(command, preexec_fn=self.group.join, stdout=out, stderr=subprocess.STDOUT, **more)
            while sample and child.poll() is None:
                sample(child.pid)
                time.sleep(0.02)
            child.wait()
            wall = time.monotonic() - begun
            used = cpu() - before
            others = busy() - busy_before - used
            out.seek(0)
            said = out.read()
        self.loads.append(os.getloadavg()[0])
        if child.returncode:
            sys.exit(f"{' '.join(command)}: exit code {child.returncode}\n{said}")
        return Took(wall, used, others, said)

    def say_machine(self, *more):
        model = next((line.split(": ")[1] for line in read("/proc/cpuinfo").splitlines() if "model name" in line), "?")
        print(f"{len(self.hosts)} hosts and their controller on one machine: {os.cpu_count()} x {model}, Linux {platform.release()}")
        print(", ".join([version(self.upshift, "--version"), version("ssh", "-V"), *more]))

    def say_load(self, what):
        print(f"load {min(self.loads):.1f} to {max(self.loads):.1f}; {what}\n")


def version(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout or done.stderr).splitlines()[0]


def spread(values):
    """The median, and the lowest and the highest."""
    median = f"{statistics.median(values):.2f}"
    return f"{median} ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else median


def busy():
    """Seconds that the processors of this machine were not idle."""
    user, nice, system, _, _, irq, softirq = [int(ticks) for ticks in read("/proc/stat").splitlines()[0].split()[1:8]]
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def read(path):
    with open(path) as f:
        return f.read()
