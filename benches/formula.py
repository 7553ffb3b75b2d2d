#!/usr/bin/env python3
"""CPU of real Salt, in process, against `upshift formula show`, on the cases of the shipped formulas.

    python=$(tests/conformance/venv)
    $python benches/formula.py target/<host>/release/upshift [ROUNDS]

Salt's own start (imports) is left out; upshift is shown with and without its own (what `upshift --version` takes).
Cases that are refused are left out. Then the time of a formula of 500 states. Run it on a quiet machine; the load is
printed.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if os.environ.get("PYTHONHASHSEED") != "0":
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, *sys.argv])
sys.path.append(str(ROOT / "tests/conformance"))
import importlib.util  # noqa: E402

# `salt.py` would hide the package `salt`.
sys.path.pop()
spec = importlib.util.spec_from_file_location("oracle", ROOT / "tests/conformance/salt.py")
oracle = importlib.util.module_from_spec(spec)
spec.loader.exec_module(oracle)


def cases():
    named = oracle.read((ROOT / "formulas/tests-grains.yaml").read_text())
    for path in sorted((ROOT / "formulas").glob("*/tests/*.yaml")):
        case = oracle.read(path.read_text())
        grains = case.get("grains", "debian-12")
        grains = named[grains] if isinstance(grains, str) else {**named["debian-12"], **grains}
        if "error" not in case:
            yield case["sls"] if isinstance(case["sls"], list) else [case["sls"]], grains, case.get("pillar") or {}


def with_salt(work, sls, grains, pillar):
    oracle.prepare(work, None, None)
    (work / "pillar").mkdir()
    (work / "pillar/top.sls").write_text("base: {'*': [pillar]}\n")
    (work / "pillar/pillar.sls").write_text("#!json\n" + json.dumps(pillar))
    before = time.process_time()
    low = oracle.Minion(work, [ROOT / "formulas"], [work / "pillar"], grains, {}).low({"base": sls})
    return time.process_time() - before, len(low)


def used():
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def start(upshift):
    before = used()
    for _ in range(50):
        subprocess.run([upshift, "--version"], check=True, capture_output=True)
    return (used() - before) / 50


def with_upshift(upshift, work, sls, grains, pillar, root=ROOT / "formulas"):
    (work / "grains.json").write_text(json.dumps(grains))
    (work / "pillar.json").write_text(json.dumps(pillar))
    files = ["--grains", work / "grains.json", "--pillar", work / "pillar.json", "--root", root]
    before, began = used(), time.monotonic()
    out = subprocess.run([upshift, "formula", "show", *sls, *files, "-f", "json"], check=True, capture_output=True)
    return used() - before, len(json.loads(out.stdout)), time.monotonic() - began


def large(folder):
    """500 states in ten SLS: loops over the pillar, includes, requisites from both sides."""
    folder = folder / "large"
    folder.mkdir(parents=True)
    for part in range(10):
        (folder / f"part{part}.sls").write_text(
            "{% from 'large/map.jinja' import large with context %}\n{% for n in range(25) %}\n"
            f"config-{part}-{{{{ n }}}}:\n  file.managed:\n    - name: /etc/large/{part}/{{{{ n }}}}.conf\n"
            "    - contents: {{ salt['pillar.get']('large:users:u' ~ n ~ ':shell', 'none') }} {{ large.package }}\n"
            f"    - require:\n      - cmd: run-{part}-{{{{ n }}}}\n"
            f"run-{part}-{{{{ n }}}}:\n  cmd.run:\n    - name: echo {{{{ n }}}}\n    - unless: test -e /x\n"
            "    - require_in:\n      - test: done\n{% endfor %}\n"
        )
    includes = "".join(f"  - large.part{part}\n" for part in range(10))
    (folder / "init.sls").write_text(f"include:\n{includes}\ndone:\n  test.nop: []\n")
    (folder / "map.jinja").write_text(
        "{% set large = salt['grains.filter_by']({'Debian': {'package': 'x'}}, merge=pillar.large) %}\n"
    )
    return {"large": {"users": {f"u{n}": {"uid": n, "shell": "/bin/bash"} for n in range(100)}}}


def main():
    upshift, rounds = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    salt, ours, count = [], [], 0
    with tempfile.TemporaryDirectory(prefix="upshift-bench-") as top:
        top = Path(top)
        every = list(cases())
        for at in range(rounds):
            salt.append(0.0)
            ours.append(0.0)
            for number, case in enumerate(every):
                cpu, states = with_salt(top / f"{at}-{number}", *case)
                salt[-1] += cpu
                cpu, ours_states, _ = with_upshift(upshift, top, *case)
                ours[-1] += cpu
                assert states == ours_states, case[0]
        count = len(every)
        pillar = large(top / "formulas")
        grains = {"id": "a", "os": "Debian", "os_family": "Debian"}
        walls = [with_upshift(upshift, top, ["large"], grains, pillar, top / "formulas") for _ in range(20)]
    salt, ours, own = min(salt) / count, min(ours) / count, start(upshift)
    print(f"{count} cases, CPU of each: Salt {salt * 1000:.1f} ms")
    print(f"upshift {ours * 1000:.1f} ms with its start: {salt / ours:.0f} times less")
    print(f"upshift {(ours - own) * 1000:.1f} ms without it: {salt / (ours - own):.0f} times less")
    cpu, states, wall = min(walls, key=lambda one: one[2])
    print(f"{states} states: {wall * 1000:.1f} ms, {cpu * 1000:.1f} ms of CPU")
    print("load", *os.getloadavg())


if __name__ == "__main__":
    main()
