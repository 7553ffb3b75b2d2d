"""What differs between what Salt did and what upshift did."""
import difflib
import re
from dataclasses import dataclass, field


@dataclass
class Verdict:
    """The differences that count, and those that are worth knowing."""

    wrong: list = field(default_factory=list)
    notes: list = field(default_factory=list)


def returns(when, salt, upshift, verdict, ends=None):
    """Compares what became of every state; for a preview, `ends` is what became of it in Salt's hands afterwards."""
    ends = ends if isinstance(ends, dict) else {}
    if isinstance(salt, str) or isinstance(upshift, str):
        if isinstance(salt, str) != isinstance(upshift, str):
            verdict.wrong.append(f"{when}: only one refuses it\n  salt: {shown(salt)}\n  upshift: {shown(upshift)}")
        return
    blind = blind_spots(salt) if when == "preview" else set()
    for tag in dict.fromkeys([*salt, *upshift]):
        if tag in blind and tag in upshift and upshift[tag].get("result") is not False:
            verdict.notes.append(f"note: {when}: Salt cannot tell what becomes of {tag}")
            continue
        if tag not in salt or tag not in upshift:
            side, there = ("upshift", salt) if tag in salt else ("salt", upshift)
            verdict.wrong.append(f"{when}: {tag} is nothing that {side} has done, {shown(there[tag])}")
            continue
        a, b = salt[tag], upshift[tag]
        if outcome(a) != outcome(b) and not foreseen(when, a, b, ends.get(tag)):
            verdict.wrong.append(f"{when}: {tag}\n  salt:    {shown(a)}\n  upshift: {shown(b)}")
            continue
        for what in ("comment", "changes"):
            if plain(a.get(what)) != plain(b.get(what)):
                verdict.notes.append(f"note: {when}: {what} of {tag}\n  salt:    {short(a.get(what))}\n  upshift: {short(b.get(what))}")
    order = [[tag for tag in sorted(answer, key=lambda tag: answer[tag].get("__run_num__", 0)) if tag in salt and tag in upshift]
             for answer in (salt, upshift)]
    if order[0] != order[1]:
        first = next(n for n, tag in enumerate(order[0]) if order[1][n] != tag)
        verdict.wrong.append(f"{when}: another order from {first} on: salt {order[0][first]}, upshift {order[1][first]}")


def outcome(answer):
    """How a state ended. What a failed one says it had changed by then, and Salt often says what it only was about to change, the disk
    says better."""
    return answer.get("result"), answer.get("result") is not False and bool(answer.get("changes"))


def foreseen(when, salt, upshift, end):
    """Whether upshift's preview says what becomes of a state, and Salt's does not: that it will fail, which Salt finds out when it does;
    that it will not, which Salt cannot tell of files of users and groups that come with a package; or that something will change."""
    if when != "preview" or end is None:
        return False
    if upshift.get("result") is False or salt.get("result") is not None:
        return upshift.get("result") == (False if end.get("result") is False else None if end.get("changes") else True)
    return False


def blind_spots(salt):
    """The states of a preview for which Salt could not look, as what it looks with comes only with a package, and those that require
    such a state."""
    failed = {tag: str(answer.get("comment")) for tag, answer in salt.items() if answer.get("result") is False}
    blind = {tag for tag, said in failed.items() if "module could not be loaded" in said}
    return blind and blind | {tag for tag, said in failed.items() if "requisite failed" in said}


def shown(answer):
    if isinstance(answer, str):
        return short(answer)
    if "result" not in answer:
        return f"{len(answer)} states"
    return f"{answer.get('result')} {'changed' if answer.get('changes') else 'unchanged'}: {short(answer.get('comment'))} {short(answer.get('changes'))}"


def short(value, most=700):
    text = value if isinstance(value, str) else repr(value)
    text = text.strip().replace("\n", "\n      ")
    return text if len(text) <= most else text[:most // 2] + " ... " + text[-most // 2:]


def plain(value):
    """Without what is never twice the same."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items() if key != "pid"}
    if isinstance(value, list):
        return [plain(item) for item in value]
    text = re.sub(r"Running scope as unit: .*\n\s*", "", str(value)).strip()
    failed, said, names = text.partition("requisite failed: ")
    return failed + said + ", ".join(sorted(names.split(", ")))  # Salt names them in the order of a set


def disks(when, pair, verdict):
    """Compares all that is on the two disks; answers with the disks."""
    salt, upshift = pair.both("disk")
    for path, (a, b) in salt.differences(upshift).items():
        text = f"{when}: /{path}: salt {a}, upshift {b}"
        if a and b and a[0] == b[0] == "file" and a[-1] != b[-1]:
            lines = difflib.unified_diff(*(text.splitlines() for text in pair.both("text", path)), "salt", "upshift", n=1, lineterm="")
            text = f"{when}: /{path}: {a[:-1]} and {b[:-1]}\n    " + "\n    ".join(list(lines)[:30])
        verdict.wrong.append(text)
    return salt, upshift


def facts(when, before, after, verdict):
    """Compares what the hosts say of themselves; of kernel settings, what has changed."""
    (salt_before, upshift_before), (salt, upshift) = before, after
    for what in ("package", "mark", "unit", "running", "account", "rule", "database"):
        named(f"{when}: {what}", salt[what], upshift[what], verdict)
    for what in ("kernel",):
        changed = [{name: value for name, value in now[what].items() if was[what].get(name) != value}
                   for was, now in ((salt_before, salt), (upshift_before, upshift))]
        named(f"{when}: {what}", *changed, verdict)
    restarted = [{name: "started" for name, at in now["started"].items() if was["started"].get(name) != at}
                 for was, now in ((salt_before, salt), (upshift_before, upshift))]
    named(f"{when}: service", *restarted, verdict)


def named(what, salt, upshift, verdict):
    for name in sorted({*salt, *upshift}):
        if salt.get(name) != upshift.get(name):
            verdict.wrong.append(f"{what} {name}: salt {salt.get(name)}, upshift {upshift.get(name)}")


def unchanged(when, host, before, after, verdict):
    """Says what a host's disk has that it did not have before."""
    for path, (a, b) in before.differences(after).items():
        verdict.wrong.append(f"{when}: {host} changed /{path}: {a} before, {b} now")
