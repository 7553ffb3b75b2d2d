"""Applies the same formulas with Salt and with upshift, each to a host of its own, and compares what becomes of the hosts.

    ./compare --upshift BINARY                        the shipped formulas' cases (--only TEXT for some of them)
    ./compare --upshift BINARY --families             cases of the functions that act on the system itself
    ./compare --upshift BINARY --root DIR [--pillar FILE] [--install PACKAGE]... SLS...
                                                      a formula tree of your own

First as a preview, then in earnest, then once more. A preview may not change the disk; the second time, nothing may change that
does not change with Salt; and each time every state's result, the disks, packages, services, accounts and kernel settings
have to be the same. Comments and changes may differ, and are shown with -v. Exits with 1 if there is a difference.
"""
import argparse
import queue
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lab"))
from lablib import debian
from statelib import debs, shipped, verdict
from statelib.pair import Failed, Pair

import salt.utils.yamlloader
import yaml


def read(text):
    """YAML as Salt reads it."""
    return salt.utils.yamlloader.load(text) or {}


def files(case):
    """What a host has besides the case's trees."""
    text = yaml.safe_dump(case.pillar, sort_keys=False, allow_unicode=True)
    return {"pillar.yaml": text, "pillar/top.sls": "base: {'*': [pillar]}\n", "pillar/pillar.sls": "#!yaml\n" + text,
            **{f"root/{name}.sls": sls for name, sls in case.texts.items()}}


def compare(pair, case, is_first, found):
    """Applies a case to both hosts, which stay as they are then; `found` gets the differences."""
    sides = ("salt", "upshift")
    if is_first:
        pair.both("prepare", case.identity, case.packages, case.tree, files(case), case.commands)
    else:
        pair.both("again", files(case), case.commands)
    before = verdict.disks("before", pair, found)
    facts = pair.both("facts")
    previews = pair.both("apply", case.sls, True)
    after = pair.both("disk")
    for side, was, now in zip(sides, before, after):
        if side == "upshift" or not was.differences(now):
            verdict.unchanged("preview", side, was, now, found)
    if any(isinstance(preview, str) for preview in previews):
        verdict.returns("preview", *previews, found)
        return previews[0], [host.seconds for host in pair.hosts]
    answers = pair.both("apply", case.sls, False)
    seconds = [host.seconds for host in pair.hosts]
    verdict.returns("preview", *previews, found, answers[0])
    verdict.returns("apply", *answers, found)
    first, first_facts = verdict.disks("apply", pair, found), pair.both("facts")
    verdict.facts("apply", facts, first_facts, found)
    again = pair.both("apply", case.sls, False)
    verdict.returns("again", *again, found)
    second, second_facts = pair.both("disk"), pair.both("facts")
    if not first[0].differences(second[0]):  # else it is the formula that never rests
        verdict.unchanged("again", "upshift", first[1], second[1], found)
    verdict.facts("again", first_facts, second_facts, found)
    return answers[0], seconds


def counted(answers):
    changed, failed = sum(bool(answer.get("changes")) for answer in answers), sum(answer.get("result") is False for answer in answers)
    return f"{len(answers)} states, {changed} changed, {failed} failed"


def report(case, salt, seconds, found, verbose):
    """What is said of a case."""
    states = "refused" if isinstance(salt, str) else counted(salt.values())
    failed = [] if isinstance(salt, str) else [f"fails: {tag}: {verdict.short(a.get('comment'))}" for tag, a in salt.items() if not a.get("result")]
    lines = found.wrong + (found.notes + failed if verbose else [])
    return "\n  ".join([f"{'DIFFERS' if found.wrong else 'same':8}{case.name:44} {states:34} salt {seconds[0]:.1f} s, upshift {seconds[1]:.2f} s",
                        *(line.replace("\n", "\n  ") for line in lines)])


def follow(pair, scenario, verbose):
    """Applies the cases of a host one after the other; says for each whether it differs."""
    differs = []
    for number, case in enumerate(scenario):
        found = verdict.Verdict()
        answer, seconds = compare(pair, case, number == 0, found)
        print(report(case, answer, seconds, found, verbose), flush=True)
        differs.append(bool(found.wrong))
    return differs


def run(pairs, scenarios, verbose):
    """Applies scenarios to whichever pair of hosts is free: Salt keeps one core busy, and upshift hardly the other."""
    free = queue.SimpleQueue()
    for pair in pairs:
        free.put(pair)

    def next_one(scenario):
        pair = free.get()
        try:
            return follow(pair, scenario, verbose)
        finally:
            free.put(pair)

    with ThreadPoolExecutor(len(pairs)) as pool:
        differs = [differs for scenario in pool.map(next_one, scenarios) for differs in scenario]
    return len(differs), sum(differs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upshift", required=True, type=Path, metavar="BINARY")
    parser.add_argument("--root", type=Path, metavar="DIR")
    parser.add_argument("--pillar", type=Path, metavar="FILE")
    parser.add_argument("--install", action="append", default=[], metavar="PACKAGE", help="of Debian; is there before")
    parser.add_argument("--only", default="", metavar="TEXT", help="the cases whose name has this text, and those before them")
    parser.add_argument("--quick", action="store_true", help="only the cases that a build has time for")
    parser.add_argument("--families", action="store_true", help="every way to use the functions that act on the system")
    parser.add_argument("--pairs", type=int, default=2, metavar="N", help="pairs of hosts, 2 if not given")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("sls", nargs="*")
    args = parser.parse_args()
    began = time.monotonic()
    if args.root:
        pillar = read(args.pillar.read_text()) if args.pillar else {}
        grains = read((shipped.FORMULAS / "tests-grains.yaml").read_text())["debian-12"]
        scenarios = [[shipped.Case(args.root.name, args.sls, pillar, [args.root], shipped.identity(grains), args.install)]]
        folders = [debian.fetch(args.install)] if args.install else []
    elif args.families:
        chains = [shipped.family(path, read) for path in sorted(shipped.FAMILIES.glob("*.yaml"))]
        scenarios = [chain for chain in chains if any(args.only in case.name for case in chain)]
        folders = [debian.fetch(shipped.family_packages(read))]
    else:
        names = shipped.QUICK if args.quick else [*shipped.SCENARIOS, shipped.refused(read)]
        scenarios = [[shipped.case(name, read) for name in chain] for chain in names if args.only in " ".join(chain)]
        folders = [debian.fetch(shipped.REAL)]
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        pairs = [stack.enter_context(Pair(args.upshift)) for _ in range(min(args.pairs, len(scenarios)))]
        if not args.root and not args.families:
            for package in shipped.stand_ins():
                debs.write(package, made)
            folders.append(made)
        for pair in pairs if folders else []:
            pair.both("lab", "repo", *map(str, folders))
        cases, wrong = run(pairs, scenarios, args.verbose)
    print(f"{cases} cases, {wrong} differ, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        sys.exit(f"compare: {error}")
