#!/usr/bin/python3
"""What compiling formulas costs in upshift and in real Salt, side by side.

  benches/formula.py [--rounds 5] [--only TEXT]

Both compile the cases of every shipped formula (formulas/*/tests/*.yaml) to their low states, in turn, case by case:
  Salt     in one process that is warm, without its start: pillar, HighState, rendering, low state
  upshift  a process each: `upshift formula show`, with its start and with printing
  within   the same cases in one process of upshift, warm as well, which is like with like: `cargo bench -- formula`
Then a formula of 500 states that is made for this: loops over a pillar, includes, requisites of every kind.

UPSHIFT is the binary, by default the release build of this checkout. Salt is that of tests/conformance/venv, with the
directories of its modules listed once, as tests/conformance/salt.py does it. CPU is user and system time.
"""
import argparse
import glob
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
CONFORMANCE = HERE / "tests/conformance"
# What is required.
TIMES_LESS, MILLISECONDS = 50, 30


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="only the cases whose name has this text")
    options = parser.parse_args()
    if importlib.util.find_spec("salt") is None:
        python = subprocess.run([CONFORMANCE / "venv"], check=True, capture_output=True, text=True).stdout.strip()
        os.execv(python, [python, *sys.argv])
    upshift = os.environ.get("UPSHIFT") or built("upshift")
    if not os.access(upshift, os.X_OK):
        sys.exit(f"{upshift}: no such program: `cargo build --release`, or UPSHIFT=PATH")
    with tempfile.TemporaryDirectory(prefix="upshift-bench-") as scratch:
        return Bench(options, upshift, Path(scratch)).run()


def built(name):
    target = os.environ.get("CARGO_TARGET_DIR") or HERE / "target"
    found = [path for path in glob.glob(f"{target}/*/release/{name}") if os.access(path, os.X_OK)]
    return max(found, key=os.path.getmtime, default=f"{target}/release/{name}")


def oracle():
    """tests/conformance/salt.py, which may start this program anew with a fixed hash seed."""
    spec = importlib.util.spec_from_file_location("oracle", CONFORMANCE / "salt.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.hook_templates()
    module.hook_loader()
    return module


class Case:
    """One compilation: what Salt gets, and the same as arguments of upshift."""

    def __init__(self, name, folder, sls, root, grains, pillar, facts=None, opts=None, python2=False):
        self.name, self.folder, self.sls, self.root = name, folder, sls, root
        self.grains, self.facts, self.opts, self.python2 = grains, facts or [], opts or {}, python2
        self.pillar = pillar or {}
        folder.mkdir(parents=True)
        given = {"pillar": self.pillar, "grains": grains, "opts": self.opts, "facts": self.facts}
        for what, value in given.items():
            (folder / f"{what}.json").write_text(json.dumps(value))
        files = [f"--{what}={folder}/{what}.json" for what in given]
        self.arguments = ["formula", "show", "--format=json", "--unchecked", f"--root={root}", *files, *sls]
        self.arguments += ["--python2"] if python2 else []


class Bench:
    def __init__(self, options, upshift, scratch):
        self.salt, self.options, self.upshift, self.scratch = oracle(), options, upshift, scratch

    def shipped(self):
        named = self.salt.read((HERE / "formulas/tests-grains.yaml").read_text())
        for path in sorted((HERE / "formulas").glob("*/tests/*.yaml")):
            name = f"{path.parent.parent.name}/{path.stem}"
            case = self.salt.read(path.read_text())
            grains = case.get("grains", "debian-12")
            grains = named[grains] if isinstance(grains, str) else {**named["debian-12"], **grains}
            sls = case["sls"] if isinstance(case["sls"], list) else [case["sls"]]
            if self.options.only in name:
                yield Case(name, self.scratch / "cases" / name, sls, HERE / "formulas", grains, case.get("pillar"),
                           case.get("facts"), case.get("opts"), case.get("python2"))

    def large(self):
        root = self.scratch / "large"
        pillar = write_large(root)
        grains = self.salt.read((HERE / "formulas/tests-grains.yaml").read_text())["debian-12"]
        return Case("500 states", self.scratch / "cases/large", ["cloud"], root, grains, pillar)

    def with_salt(self, case):
        """CPU seconds, and how many states there are; none if Salt refuses."""
        work = self.scratch / "salt"
        self.salt.prepare(work, case.facts, case.python2)
        (work / "pillar").mkdir()
        (work / "pillar/top.sls").write_text("base: {'*': [pillar]}\n")
        (work / "pillar/pillar.sls").write_text("#!json\n" + json.dumps(case.pillar))
        begun = time.process_time()
        try:
            minion = self.salt.Minion(work, [case.root], [work / "pillar"], case.grains, case.opts)
            states = len(minion.low({"base": case.sls}))
        except self.salt.Refused:
            states = None
        return time.process_time() - begun, states

    def with_upshift(self, case):
        """CPU and wall seconds, and how many states there are; none if upshift refuses."""
        with open(self.scratch / "out", "w+") as out:
            begun = time.monotonic()
            child = subprocess.Popen([self.upshift, *case.arguments], stdout=out, stderr=subprocess.PIPE)
            child.stderr.read()
            _, status, used = os.wait4(child.pid, 0)
            wall = time.monotonic() - begun
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            states = len(json.load(out)) if child.returncode == 0 else None
        return used.ru_utime + used.ru_stime, wall, states

    def round(self, cases):
        """CPU seconds of all cases in Salt and in upshift."""
        salt = upshift = 0.0
        for case in cases:
            here, _, ours = self.with_upshift(case)
            there, theirs = self.with_salt(case)
            if ours != theirs:
                sys.exit(f"{case.name}: {theirs} states in Salt, {ours} in upshift")
            salt, upshift = salt + there, upshift + here
        return salt, upshift

    def run(self):
        model = next((line.split(": ")[1] for line in open("/proc/cpuinfo").read().splitlines() if "model name" in line), "?")
        print(f"{os.cpu_count()} x {model}, Linux {platform.release()}, Python {platform.python_version()}")
        cases = list(self.shipped())
        self.round(cases)  # what is only read once
        load, rounds = [os.getloadavg()[0]], []
        for _ in range(self.options.rounds):
            rounds.append(self.round(cases))
            load.append(os.getloadavg()[0])
        large = self.large()
        self.with_salt(large)
        walls = [self.with_upshift(large) for _ in range(4 * self.options.rounds)]
        salt_large, states = self.with_salt(large)
        load.append(os.getloadavg()[0])
        if len({states, *(found for _, _, found in walls)}) > 1 or not states or states < 500:
            sys.exit(f"the large formula: {states} states in Salt, {walls[0][2]} in upshift")
        print(f"load {min(load):.1f} to {max(load):.1f}; {self.options.rounds} rounds, medians (lowest to highest)\n")
        missed = self.table(len(cases), rounds)
        missed += self.large_table(states, walls, salt_large)
        return 1 if missed else 0

    def table(self, cases, rounds):
        salt, ours = ([each[at] / cases * 1000 for each in rounds] for at in (0, 1))
        less = lambda milliseconds: statistics.median(salt) / milliseconds
        print(f"{cases} shipped cases, CPU ms a case")
        print(f"  Salt, in process       {spread(salt)}")
        print(f"  upshift, a process     {spread(ours)}   {less(statistics.median(ours)):.0f} times less, with its start")
        within = self.within() if not self.options.only else None
        if within is None:
            print("  upshift, in process    not measured: `cargo bench -- formula` builds it, for all cases")
            return 0
        is_kept = less(within) >= TIMES_LESS
        print(f"  upshift, in process    {within:8.2f}   {less(within):.0f} times less {verdict(is_kept, f'at least {TIMES_LESS}')}")
        return int(not is_kept)

    def large_table(self, states, walls, salt):
        wall, cpu = [each[1] * 1000 for each in walls], [each[0] * 1000 for each in walls]
        is_kept = statistics.median(wall) < MILLISECONDS
        print(f"\n{states} states, a process of upshift, ms")
        print(f"  wall                   {spread(wall)}   {verdict(is_kept, f'below {MILLISECONDS}')}")
        print(f"  CPU                    {spread(cpu)}   Salt, in process: {salt * 1000:.0f}")
        return int(not is_kept)

    def within(self):
        """CPU ms a case in one process, the median of some; none if the bench is not built."""
        bench = built("deps/scale-*[!.d]")
        if not os.access(bench, os.X_OK):
            return None
        run = lambda: subprocess.run([bench, "formula"], cwd=HERE, check=True, capture_output=True, text=True).stdout
        return statistics.median(float(run().split()[-2]) for _ in range(self.options.rounds))


def spread(values):
    return f"{statistics.median(values):8.2f} ({min(values):.2f} to {max(values):.2f})"


def verdict(is_kept, required):
    return f"{'kept' if is_kept else 'MISSED'}: {required}"


# --- the large formula --------------------------------------------------------------------------

PARTS = 10

INIT = """include:
{%- for part in pillar.cloud.parts %}
  - cloud.{{ part }}
{%- endfor %}

cloud-ready:
  test.nop:
    - require:
{%- for part in pillar.cloud.parts %}
      - sls: cloud.{{ part }}
{%- endfor %}
"""

MAP = """{%- set cloud = salt['grains.filter_by']({
    'Debian': {'group': 'root', 'folder': '/etc/cloud', 'packages': ['cloud-common']},
    'RedHat': {'group': 'wheel', 'folder': '/etc/cloud', 'packages': ['cloud']},
}, merge=salt['pillar.get']('cloud:lookup', {})) %}
"""

PART = """{%- from "cloud/map.jinja" import cloud with context %}
{%- set part = sls.split('.')[-1] %}
include:
  - cloud.common
extend:
  cloud-common:
    pkg:
      - require_in:
        - pkg: {{ part }}-packages

{{ part }}-packages:
  pkg.installed:
    - pkgs: {{ (cloud.packages + [part])|unique|json }}

{%- for service, settings in pillar.cloud.services.items() if settings.part == part %}
{%- set name = part ~ '-' ~ service %}
{{ name }}-config:
  file.managed:
    - name: {{ cloud.folder }}/{{ part }}/{{ service }}.conf
    - source: salt://cloud/files/service.conf
    - template: jinja
    - group: {{ cloud.group }}
    - context: {{ settings.options|json }}
    - require:
      - pkg: {{ part }}-packages
{{ name }}-log:
  file.directory:
    - name: /var/log/{{ part }}/{{ service }}
    - user: {{ settings.get('user', 'root') }}
    - require_in:
      - service: {{ name }}
{{ name }}:
  service.running:
    - enable: {{ settings.enabled|default(true) }}
    - watch:
      - file: {{ name }}-config
{%- if settings.port is defined %}
{{ name }}-port:
  firewall.allow:
    - port: {{ settings.port|int }}
    - onchanges:
      - file: {{ name }}-config
    - prereq_in: []
{%- endif %}
{{ name }}-reload:
  cmd.run:
    - name: systemctl reload {{ service }}
    - listen:
      - file: {{ name }}-config
    - onlyif: test -e /run/{{ service }}.pid
{%- endfor %}
"""

COMMON = """{%- from "cloud/map.jinja" import cloud with context %}
cloud-common:
  pkg.installed:
    - names: {{ cloud.packages|json }}
"""


def write_large(root):
    """Writes the formula, and gives the pillar for it."""
    folder = root / "cloud"
    (folder / "files").mkdir(parents=True)
    parts = [f"part{number}" for number in range(PARTS)]
    (folder / "init.sls").write_text(INIT)
    (folder / "map.jinja").write_text(MAP)
    (folder / "common.sls").write_text(COMMON)
    for part in parts:
        (folder / f"{part}.sls").write_text(PART)
    services = {}
    for number in range(100):
        services[f"service{number:03}"] = {
            "part": parts[number % PARTS], "port": 8000 + number, "user": "cloud",
            "options": {f"option{option}": f"value {number} {option}" for option in range(8)},
        }
    return {"cloud": {"parts": parts, "services": services, "lookup": {"packages": ["cloud-common", "cloud-tools"]}}}


if __name__ == "__main__":
    sys.exit(main())
