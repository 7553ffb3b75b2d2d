#!/usr/bin/python3 -IS
"""How long `upshift exec HOSTS -- true` takes beside raw parallel ssh, on a lab of real hosts.

  benches/exec.py [--hosts 80] [--rounds 7] [--keep]

Both run on the same hosts, from the same place, with the same ssh_config, in turn:
  cold     nothing is open         ssh: xargs -P N ssh HOST true
  warm     connections are open    ssh: the same through control masters that were opened before
  curve    cold, with the key exchange that costs a client least (KexAlgorithms curve25519-sha256)

UPSHIFT is the binary, by default the release build of this checkout. LAB_DIR and LAB_CACHE are the lab's; a lab that is
up already is used and left as it is. Needs root. CPU is of the controller's side alone, with every process it starts;
memory is PSS, sampled in rounds of their own.
"""
import argparse
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return Bench(options).run()
    os.environ["UPSHIFT"] = upshift = os.environ.get("UPSHIFT") or built()
    if not os.access(upshift, os.X_OK):
        sys.exit(f"{upshift}: no such program: `cargo build --release`, or UPSHIFT=PATH")
    os.environ.setdefault("LAB_DIR", f"/run/upshift-bench-{os.getpid()}")
    was_up = os.path.exists(os.path.join(os.environ["LAB_DIR"], "inventory.toml"))
    try:
        subprocess.run([LAB, "up", str(options.hosts)], check=True, stdout=sys.stderr)
        return subprocess.run([LAB, "net", sys.executable, "-IS", os.path.realpath(__file__), *sys.argv[1:],
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
    def __init__(self, options):
        self.lab, self.rounds, self.upshift = options.inside, options.rounds, os.environ["UPSHIFT"]
        self.hosts = [f"cmp{n:03}" for n in range(1, options.hosts + 1)]
        self.scratch = tempfile.mkdtemp(prefix="upb-")
        self.masters, self.group = Group("masters"), Group("measured")
        self.list = self.write("hosts", "\n".join(self.hosts) + "\n")
        self.config = {"": os.path.join(self.lab, "ssh_config")}
        self.config["curve"] = self.write("ssh_config", f"{CURVE}\n" + read(self.config[""]))
        inventory = read(os.path.join(self.lab, "inventory.toml"))
        self.inventory = {kind: self.write(f"inventory{kind}.toml", inventory.replace('"ssh_config"', f'"{config}"'))
                          for kind, config in self.config.items()}
        os.environ["XDG_RUNTIME_DIR"] = self.scratch

    def write(self, name, text):
        path = os.path.join(self.scratch, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def ssh(self, kind=""):
        return ["xargs", "-a", self.list, "-P", str(len(self.hosts)), "-I{}", "ssh", "-F", self.config[kind]]

    def cold_ssh(self, kind=""):
        return [*self.ssh(kind), "{}", "true"]

    def warm_ssh(self):
        return [*self.ssh(), "-S", f"{self.scratch}/{{}}", "{}", "true"]

    def exec(self, kind=""):
        # By number: a lab that was up already may have more hosts.
        hosts = f"cmp[{self.hosts[0][3:]}-{self.hosts[-1][3:]}]"
        return [self.upshift, "exec", "-i", self.inventory[kind], hosts, "--", "true"]

    def open_masters(self):
        subprocess.run([*self.ssh(), "-M", "-N", "-f", "-S", f"{self.scratch}/{{}}", "{}"], check=True,
                       preexec_fn=self.masters.join, stderr=subprocess.DEVNULL)

    def once(self, command, sample=None):
        """Runs a command in the group: wall and CPU seconds."""
        def cpu():
            return self.group.cpu() + self.masters.cpu()

        before, begun = cpu(), time.monotonic()
        child = subprocess.Popen(command, preexec_fn=self.group.join, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if sample:
            while child.poll() is None:
                sample(child.pid)
                time.sleep(0.02)
        said = child.communicate()[1]
        wall = time.monotonic() - begun
        if child.returncode:
            sys.exit(f"{' '.join(command)}: exit code {child.returncode}\n{said.decode()}")
        return wall, cpu() - before

    def memory(self, command):
        """The most that all of it has at once, and the most that the command's own process has, in MiB."""
        most = [0.0, 0.0]

        def sample(pid):
            sizes = {other: pss(other) for other in self.group.pids()}
            most[0], most[1] = max(most[0], sum(sizes.values())), max(most[1], sizes.get(pid, 0))

        self.once(command, sample)
        sample(0)  # masters that stay
        return most

    def round(self, kind, swap):
        """One of each, in either order: {(kind, who): (wall, cpu)}."""
        cold = kind or "cold"
        found = {}

        def ssh():
            found[cold, "ssh"] = self.once(self.cold_ssh(kind))

        def upshift():
            found[cold, "upshift"] = self.once(self.exec(kind))
            if not kind:
                found["warm", "upshift"] = self.once(self.exec())
                found["warm", "ssh"] = self.once(self.warm_ssh())
            self.group.empty()

        for step in [upshift, ssh] if swap else [ssh, upshift]:
            step()
        return found

    def run(self):
        try:
            self.say_versions()
            self.open_masters()
            load = [os.getloadavg()[0]]
            found = {}
            for n in range(self.rounds):
                for kind in ["", "curve"]:
                    for key, value in self.round(kind, n % 2 == 1).items():
                        found.setdefault(key, []).append(value)
                load.append(os.getloadavg()[0])
            memory = {("cold", "ssh"): self.memory(self.cold_ssh()), ("cold", "upshift"): self.memory(self.exec())}
            memory["warm", "upshift"] = self.memory(self.exec())
            self.group.empty()
            memory["warm", "ssh"] = self.memory(self.warm_ssh())
            print(f"load {min(load):.1f} to {max(load):.1f}; {self.rounds} rounds, medians (lowest to highest)\n")
            self.table(found)
            self.say_memory(memory)
        finally:
            for group in self.group, self.masters:
                group.remove()
            shutil.rmtree(self.scratch)

    def say_versions(self):
        def first(*command):
            done = subprocess.run(command, capture_output=True, text=True)
            return (done.stdout or done.stderr).splitlines()[0]

        model = next((line.split(": ")[1] for line in read("/proc/cpuinfo").splitlines() if "model name" in line), "?")
        print(f"{len(self.hosts)} hosts and their controller on one machine: {os.cpu_count()} x {model}, "
              f"Linux {platform.release()}\n{first(self.upshift, '--version')}, {first('ssh', '-V')}, "
              f"{first('xargs', '--version')}, Python {platform.python_version()}")

    def table(self, found):
        print(f"{'':8}{'':>9}{'wall s':>26}{'ratio':>8}{'CPU s':>26}{'ratio':>8}")
        for case in ["cold", "curve", "warm"]:
            base = [statistics.median(value[at] for value in found[case, "ssh"]) for at in (0, 1)]
            for who in ["ssh", "upshift"]:
                cells = ""
                for at in (0, 1):
                    values = sorted(value[at] for value in found[case, who])
                    median = statistics.median(values)
                    spread = f"{median:.2f} ({values[0]:.2f} to {values[-1]:.2f})"
                    cells += f"{spread:>26}" + (f"{median / base[at]:>8.2f}" if who == "upshift" else f"{'':8}")
                print(f"{case:8}{who:>9}{cells}")

    def say_memory(self, memory):
        print(f"\n{'':8}{'':>9}{'all MiB':>10}{'itself':>10}{'beyond ssh, a host':>22}")
        for case in ["cold", "warm"]:
            for who in ["ssh", "upshift"]:
                total, own = memory[case, who]
                beyond = f"{own / len(self.hosts):.2f}" if who == "upshift" else ""
                print(f"{case:8}{who:>9}{total:>10.1f}{own if who == 'upshift' else 0:>10.1f}{beyond:>22}")


def pss(pid):
    try:
        return next(int(line.split()[1]) for line in read(f"/proc/{pid}/smaps_rollup").splitlines() if line.startswith("Pss:")) / 1024
    except (OSError, StopIteration):
        return 0.0


def read(path):
    with open(path) as f:
        return f.read()


if __name__ == "__main__":
    sys.exit(main())
