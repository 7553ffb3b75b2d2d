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
import os
import platform
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import measure  # noqa: E402
from measure import read, spread, version  # noqa: E402


def main():
    options = measure.arguments(__doc__, rounds=7).parse_args()
    return Bench(options).run() if options.inside else measure.on_lab(options)


class Bench(measure.Bench):
    def cold_ssh(self, kind=""):
        return [*self.ssh(self.hosts, kind), "{}", "true"]

    def warm_ssh(self):
        return [*self.ssh(self.hosts), "-S", f"{self.scratch}/{{}}", "{}", "true"]

    def exec(self, kind=""):
        return [self.upshift, "exec", "-i", self.inventory[kind], self.selector(self.hosts), "--", "true"]

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
        """One of each, in either order: {(kind, who): what it took}."""
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

    def measure(self):
        self.say_machine(version("xargs", "--version"), f"Python {platform.python_version()}")
        self.open_masters()
        found = {}
        for n in range(self.rounds):
            for kind in ["", "curve"]:
                for key, took in self.round(kind, n % 2 == 1).items():
                    found.setdefault(key, []).append(took)
        self.say_load(f"{self.rounds} rounds, medians (lowest to highest)")
        memory = {("cold", "ssh"): self.memory(self.cold_ssh()), ("cold", "upshift"): self.memory(self.exec())}
        memory["warm", "upshift"] = self.memory(self.exec())
        self.group.empty()
        memory["warm", "ssh"] = self.memory(self.warm_ssh())
        self.table(found)
        self.say_memory(memory)

    def table(self, found):
        print(f"{'':8}{'':>9}{'wall s':>26}{'ratio':>8}{'CPU s':>26}{'ratio':>8}")
        for case in ["cold", "curve", "warm"]:
            for who in ["ssh", "upshift"]:
                cells = ""
                for what in ["wall", "cpu"]:
                    values = [getattr(took, what) for took in found[case, who]]
                    base = [getattr(took, what) for took in found[case, "ssh"]]
                    ratio = f"{statistics.median(values) / statistics.median(base):.2f}" if who == "upshift" else ""
                    cells += f"{spread(values):>26}{ratio:>8}"
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


if __name__ == "__main__":
    sys.exit(main())
