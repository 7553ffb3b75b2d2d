"""Runs the conformance cases and the shipped formulas' cases with real Salt, in one process.

    python salt.py CASES_DIR... --out FILE.json [--only SUBSTRING] [--show]

`python` is the one that `./venv` prints. A directory with `*.case` files below it is a tree of
conformance cases; a directory with `*/tests/*.yaml` below it is a tree of shipped formulas.
README.md beside this file has the format of a case and of an answer.
"""

import argparse
import copy
import datetime
import inspect
import json
import logging
import math
import os
import shutil
import sys
import tempfile
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

# Python prints a set in an order that depends on this seed; the order must not change between runs.
if os.environ.get("PYTHONHASHSEED") != "0":
    os.environ.update(PYTHONHASHSEED="0", PYTHONWARNINGS="ignore")
    os.execv(sys.executable, [sys.executable, *sys.argv])
os.environ["TZ"] = "UTC"
time.tzset()

HERE = Path(__file__).resolve().parent
# `salt.py` would hide the package `salt`, which is wanted here.
sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != HERE]
logging.disable(logging.CRITICAL)

import jinja2  # noqa: E402
import jinja2.sandbox  # noqa: E402
import salt.config  # noqa: E402
import salt.loader.lazy  # noqa: E402
import salt.modules.file  # noqa: E402
import salt.state  # noqa: E402
import salt.states.file  # noqa: E402
import salt.utils.jinja  # noqa: E402
import salt.utils.templates  # noqa: E402
import salt.utils.yamlloader  # noqa: E402
import yaml  # noqa: E402

# Functions that ask nothing of the host: the real ones run. Any other function needs a recorded answer.
PURE = (
    "config.", "cp.list_", "cp.get_file_str", "cp.get_template", "data.", "defaults.", "grains.",
    "hashutil.", "jinja.", "list_tools.", "log.", "match.", "pillar.", "slsutil.", "sys.", "test.",
    "file.basename", "file.dirname", "file.join", "file.normpath", "file.expanduser",
    "pkg.version_cmp", "random.hash", "random.str_encode", "saltutil.runner_", "state.sls_exists",
    "textfsm.", "timezone.get_zonecode_", "user.list_groups_", "nacl.", "mac_utils.",
)


class Missing(Exception):
    """A case calls a host function and has no recorded answer for it."""


# --- what a case sees of the host ---------------------------------------------------------------

FACTS = []
SYNTAX = []


def answer(name, args, kwargs):
    """The recorded answer of a host function; the first fact that fits."""
    for fact in FACTS:
        if fact["function"] != name:
            continue
        if "args" in fact and list(fact["args"]) != list(args):
            continue
        if "kwargs" in fact and dict(fact["kwargs"]) != dict(kwargs):
            continue
        return copy.deepcopy(fact.get("answer"))
    raise Missing(f"no recorded answer for {name} args={list(args)!r} kwargs={dict(kwargs)!r}")


class Function:
    def __init__(self, name, loader):
        self.name, self.loader = name, loader

    def __call__(self, *args, **kwargs):
        recorded = any(fact["function"] == self.name for fact in FACTS)
        if not recorded and self.name.startswith(PURE):
            return self.loader[self.name](*args, **kwargs)
        return answer(self.name, args, kwargs)


class Module:
    def __init__(self, name, loader):
        self.name, self.loader = name, loader

    def __getattr__(self, function):
        if function.startswith("__"):
            raise AttributeError(function)
        return self._get(f"{self.name}.{function}")

    def _get(self, name):
        if not exists(name, self.loader):
            raise AttributeError(name)
        return Function(name, self.loader)


class Functions:
    """The `salt` of a template: pure functions are real, host functions answer from the facts."""

    def __init__(self, loader):
        self.loader = loader

    def __getitem__(self, name):
        if not exists(name, self.loader):
            raise KeyError(name)
        return Function(name, self.loader)

    def __contains__(self, name):
        return exists(name, self.loader)

    def get(self, name, default=None):
        return self[name] if name in self else default

    def __getattr__(self, name):
        recorded = any(fact["function"].startswith(name + ".") for fact in FACTS)
        if name.startswith("__") or "." in name or not (recorded or hasattr(self.loader, name)):
            raise AttributeError(name)
        return Module(name, self.loader)


def exists(name, loader):
    return any(fact["function"] == name for fact in FACTS) or name in loader


def hook_templates():
    """Puts `Functions` in front of every template's `salt` and notes whether an error was one of syntax."""
    render = salt.utils.templates.render_jinja_tmpl

    def hooked(text, context, path=None):
        loader = context.get("salt")
        if loader is not None and not isinstance(loader, Functions):
            context = dict(context, salt=Functions(loader))
        try:
            return render(text, context, path)
        except Exception as error:
            if isinstance(error.__context__, jinja2.TemplateSyntaxError):
                SYNTAX.append(error.__context__)
            raise

    salt.utils.templates.JINJA = salt.utils.templates.wrap_tmpl_func(hooked)
    salt.utils.templates.TEMPLATE_REGISTRY["jinja"] = salt.utils.templates.JINJA
    salt.utils.templates.render_jinja_tmpl = hooked

    load = salt.utils.yamlloader.load

    def load_hooked(*args, **kwargs):
        try:
            return load(*args, **kwargs)
        except yaml.MarkedYAMLError as error:
            SYNTAX.append(error)
            raise

    salt.utils.yamlloader.load = load_hooked


def hook_loader():
    """Lists Salt's own module directories once: they do not change, and took most of a case's time."""
    refresh = salt.loader.lazy.LazyLoader._refresh_file_mapping
    known = {}

    def hooked(loader):
        key = (tuple(loader.module_dirs), tuple(loader.static_modules), tuple(loader.disabled))
        if key not in known:
            refresh(loader)
            known[key] = (loader.suffix_map, loader.suffix_order, loader.file_mapping)
        suffix_map, suffix_order, file_mapping = known[key]
        loader.suffix_map = dict(suffix_map)
        loader.suffix_order = list(suffix_order)
        loader.file_mapping = dict(file_mapping)

    salt.loader.lazy.LazyLoader._refresh_file_mapping = hooked


PYTHON2 = {"iteritems": "items", "itervalues": "values", "iterkeys": "keys"}
PYTHON3_GETATTR = jinja2.sandbox.SandboxedEnvironment.getattr


def python2_getattr(environment, value, attribute):
    """The dictionary methods that formulas of 2015 to 2019 saw under Python 2."""
    if isinstance(value, Mapping):
        if attribute == "has_key":
            return value.__contains__
        if attribute in PYTHON2:
            return getattr(value, PYTHON2[attribute])
        if attribute in ("keys", "values", "items"):
            return lambda: list(getattr(value, attribute)())
    return PYTHON3_GETATTR(environment, value, attribute)


# --- values as JSON -----------------------------------------------------------------------------


def encode(value):
    """A value as JSON keeps it: order kept, keys that are no strings as pairs, tuples as lists."""
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {key: encode(item) for key, item in value.items()}
        return {"__kv__": [[encode(key), encode(item)] for key, item in value.items()]}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [encode(item) for item in value]
    if isinstance(value, (datetime.datetime, datetime.date)):
        return {"__dt__": str(value)}
    if isinstance(value, bytes):
        return value.decode("utf8", "replace")
    if isinstance(value, float) and not math.isfinite(value):
        return {"__float__": str(value)}
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)


def ordered(value):
    """A value of YAML or JSON as a minion holds what its SLS gave: OrderedDict for every mapping."""
    if isinstance(value, dict):
        return OrderedDict((key, ordered(item)) for key, item in value.items())
    if isinstance(value, list):
        return [ordered(item) for item in value]
    return value


# --- one compilation ----------------------------------------------------------------------------


class Refused(Exception):
    """Salt gave errors at a stage; `text` has them all."""

    def __init__(self, stage, text):
        super().__init__(text)
        self.stage, self.text = stage, text


class Minion:
    """Salt with the given trees, grains and pillar, in a directory of its own."""

    def __init__(self, work, file_roots, pillar_roots, grains, opts, functions=None):
        self.work = str(work)
        config = salt.config.apply_minion_config(copy.deepcopy(salt.config.DEFAULT_MINION_OPTS))
        config.update(
            file_client="local",
            root_dir=self.work,
            cachedir=self.work + "/cache",
            extension_modules="/nonexistent",
            conf_file=self.work + "/minion",
            pki_dir=self.work + "/pki",
            sock_dir=self.work + "/sock",
            file_roots={"base": [str(root) for root in file_roots]},
            pillar_roots={"base": [str(root) for root in pillar_roots]},
            id=grains["id"],
            grains=copy.deepcopy(grains),
            __role="minion",
            saltenv=None,
            log_level="critical",
            pillar_safe_render_error=False,
        )
        config.update(opts)
        config["grains"]["id"] = config["id"]
        os.makedirs(self.work + "/cache", exist_ok=True)
        try:
            self.high = salt.state.HighState(config)
        except Exception as error:
            raise Refused("pillar", repr(error)) from error
        pillar = self.high.state.opts["pillar"]
        if pillar.get("_errors"):
            raise Refused("pillar", "\n".join(map(str, pillar["_errors"])))

    @property
    def pillar(self):
        return self.high.state.opts["pillar"]

    def top(self):
        """What the top file of the states gives this minion."""
        try:
            top = self.high.get_top()
            errors = self.high.verify_tops(top)
            matches = self.high.top_matches(top)
        except Exception as error:
            raise Refused("render", str(error)) from error
        if errors:
            raise Refused("render", "\n".join(map(str, errors)))
        return matches

    def low(self, matches):
        """The low state, by the same calls in the same order as `State.call_high`."""
        self.high.push_active()
        try:
            high, errors = self.high.render_highstate(matches)
        except Exception as error:
            raise Refused("render", repr(error)) from error
        finally:
            self.high.pop_active()
        if errors:
            raise Refused("render", "\n".join(map(str, errors)))
        state = self.high.state
        try:
            high, errors = state.reconcile_extend(high)
            errors = list(errors) + list(state.verify_high(high))
            if not errors:
                high, errors = state.requisite_in(high)
                high = state.apply_exclude(high)
        except Exception as error:
            raise Refused("high", repr(error)) from error
        if errors:
            raise Refused("high", "\n".join(map(str, errors)))
        try:
            return state.compile_high_data(high)
        except Exception as error:
            raise Refused("compile", repr(error)) from error

    def file(self, source, chunk):
        """The text that `file.managed` makes of a template, given the arguments of its chunk."""
        path = self.high.state.functions["cp.cache_file"]("salt://" + source, "base")
        if not path:
            raise Refused("render", f"no file salt://{source}")
        context = copy.deepcopy(chunk.get("defaults") or {})
        context.update(copy.deepcopy(chunk.get("context") or {}))
        taken = inspect.signature(salt.states.file.managed).parameters
        internal = salt.state.STATE_INTERNAL_KEYWORDS
        extra = {k: v for k, v in chunk.items() if k not in taken and k not in internal}
        try:
            answer = salt.utils.templates.TEMPLATE_REGISTRY["jinja"](
                path, to_str=True, name=chunk.get("name"), source="salt://" + source,
                user=chunk.get("user"), group=chunk.get("group"), mode=chunk.get("mode"),
                attrs=chunk.get("attrs"), saltenv="base", context=context,
                salt=self.high.state.functions, pillar=self.pillar,
                grains=self.high.state.opts["grains"], opts=self.high.state.opts, **extra,
            )
        except Exception as error:
            raise Refused("render", str(error)) from error
        if not answer["result"]:
            raise Refused("render", answer["data"])
        return answer["data"]


def refusal(error, work):
    text = error.text.replace(str(work), "")
    # Salt's own files are named without the place where the machine keeps them.
    text = text.replace(str(Path(salt.__file__).parent.parent) + "/", "")
    if "no recorded answer for" in text:
        print(f"{work.name}: {text.strip().splitlines()[-1]}", file=sys.stderr)
    return {"error": text, "stage": error.stage, "kind": "syntax" if SYNTAX else "other"}


def prepare(work, facts, python2):
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    FACTS[:] = facts or []
    SYNTAX.clear()
    getattr_ = python2_getattr if python2 else PYTHON3_GETATTR
    jinja2.sandbox.SandboxedEnvironment.getattr = getattr_


# --- cases --------------------------------------------------------------------------------------


def sections(text):
    """The sections of a case: name to text."""
    out, name = {}, None
    for line in text.splitlines(keepends=True):
        if line.startswith("--- ") and line.strip() != "---":
            name = line[4:].strip()
            out[name] = ""
        elif name is not None:
            out[name] += line
    return out


def read(text):
    """YAML as Salt reads it: `0644` is the number 644, and a date is a text."""
    return salt.utils.yamlloader.load(text or "") or {}


# What a person may say in `options.yaml`.
OPTIONS = {"python2", "sls", "highstate", "render", "context", "defaults", "opts", "crlf", "no-newline"}


def run_case(path, work, grains):
    parts = sections(path.read_text(encoding="utf8"))
    options = read(parts.get("options.yaml"))
    unknown = set(options) - OPTIONS
    if unknown:
        raise SystemExit(f"{path}: unknown options {sorted(unknown)}")
    prepare(work, read(parts.get("facts.yaml")), options.get("python2"))
    for name, text in parts.items():
        if name.startswith(("states/", "pillar/")):
            if name in (options.get("no-newline") or []):
                text = text.rstrip("\n")
            if name in (options.get("crlf") or []):
                text = text.replace("\n", "\r\n")
            target = work / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode("utf8"))
    (work / "states").mkdir(exist_ok=True)
    (work / "pillar").mkdir(exist_ok=True)
    if "pillar.yaml" in parts:
        (work / "pillar/top.sls").write_text("base: {'*': [pillar]}\n")
        (work / "pillar/pillar.sls").write_text("#!yaml\n" + parts["pillar.yaml"], encoding="utf8")
    try:
        minion = Minion(
            work, [work / "states"], [work / "pillar"],
            {**grains, **read(parts.get("grains.yaml"))}, options.get("opts") or {},
        )
        pillar = encode(minion.pillar)
        if "render" in options:
            source = options["render"].removeprefix("states/")
            chunk = {"name": "/etc/rendered.conf"}
            chunk.update({k: ordered(options[k]) for k in ("context", "defaults") if k in options})
            return {"pillar": pillar, "text": minion.file(source, chunk)}
        if "sls" in options:
            matches = {"base": options["sls"]}
        elif options.get("highstate"):
            matches = minion.top()
        elif "states/case.sls" in parts:
            matches = {"base": ["case"]}
        else:
            return {"pillar": pillar, "low": []}
        return {"pillar": pillar, "low": encode(minion.low(matches))}
    except Refused as error:
        return refusal(error, work)


# --- shipped formulas ---------------------------------------------------------------------------


def run_formula(path, work, named):
    """One `formulas/<formula>/tests/<case>.yaml`."""
    case = read(path.read_text(encoding="utf8"))
    formula = path.parent.parent
    grains = case.get("grains", "debian-12")
    grains = named[grains] if isinstance(grains, str) else {**named["debian-12"], **grains}
    prepare(work, case.get("facts"), case.get("python2"))
    (work / "pillar").mkdir()
    (work / "pillar/top.sls").write_text("base: {'*': [pillar]}\n")
    text = yaml.safe_dump(case.get("pillar") or {}, sort_keys=False, allow_unicode=True)
    (work / "pillar/pillar.sls").write_text("#!yaml\n" + text, encoding="utf8")
    sls = case["sls"] if isinstance(case["sls"], list) else [case["sls"]]
    try:
        minion = Minion(work, [formula.parent], [work / "pillar"], grains, case.get("opts") or {})
        low = minion.low({"base": sls})
        out = {"pillar": encode(minion.pillar), "low": encode(low), "files": {}, "rendered": {}}
        templates = [(source, chunk) for chunk in low for source in template_sources(chunk)]
        for source, chunk in templates:
            out["rendered"][chunk["name"]] = minion.file(source, chunk)
        for wanted in case.get("files") or []:
            source = wanted["source"].removeprefix("salt://")
            chunk = next((c for s, c in templates if s == source), {"name": "/etc/rendered.conf"})
            if "context" in wanted:
                context = {**(chunk.get("context") or {}), **ordered(wanted["context"])}
                chunk = dict(chunk, context=context)
            out["files"][wanted["source"]] = minion.file(source, chunk)
        return out
    except Refused as error:
        return refusal(error, work)


def template_sources(chunk):
    """The Jinja template that a chunk of `file.managed` renders; the first of several sources."""
    if (chunk["state"], chunk["fun"], chunk.get("template")) != ("file", "managed", "jinja"):
        return []
    sources = chunk.get("source") or []
    sources = [sources] if isinstance(sources, str) else sources
    return [s.removeprefix("salt://") for s in sources if str(s).startswith("salt://")][:1]


# --- the whole ----------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dirs", nargs="+", type=Path, metavar="CASES_DIR")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.json")
    parser.add_argument("--only", default="", help="run only the cases whose key has this text")
    parser.add_argument("--show", action="store_true", help="print every answer beside its sentence")
    args = parser.parse_args()
    hook_templates()
    hook_loader()
    grains = read((HERE / "grains.yaml").read_text())
    answers, started = {}, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="upshift-salt-") as top:
        for root in args.dirs:
            if not root.is_dir():
                raise SystemExit(f"{root} is no directory")
            for path in sorted(root.rglob("*.case")):
                key = f"{path.parent.name}/{path.stem}"
                if args.only in key:
                    answers[key] = run_case(path, Path(top) / key, grains)
                    if args.show:
                        show(key, path, answers[key])
            shipped = root / "tests-grains.yaml"
            for path in sorted(root.glob("*/tests/*.yaml")):
                key = f"formulas/{path.parent.parent.name}/{path.stem}"
                if args.only in key:
                    answers[key] = run_formula(path, Path(top) / key, read(shipped.read_text()))
                    if args.show:
                        show(key, path, answers[key])
    args.out.write_text(json.dumps(answers, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
    errors = sum("error" in a for a in answers.values())
    seconds = time.monotonic() - started
    print(f"{len(answers)} cases, {errors} of them errors, {seconds:.1f} s", file=sys.stderr)


def show(key, path, answer):
    print(f"=== {key}: {path.read_text(encoding='utf8').splitlines()[0]}")
    if "error" in answer:
        lines = answer["error"].strip().splitlines()
        print(f"  {answer['stage']} {answer['kind']}: " + " | ".join(lines[:1] + lines[-1:])[:600])
    elif "text" in answer:
        print("  text: " + json.dumps(answer["text"], ensure_ascii=False)[:1500])
    else:
        hidden = {"__sls__", "__env__", "__id__", "order", "state", "fun"}
        for c in answer["low"]:
            rest = {k: v for k, v in c.items() if k not in hidden}
            head = f"{c['order']} {c['__sls__']} {c['__id__']} {c['state']}.{c['fun']}"
            print(f"  {head} {json.dumps(rest, ensure_ascii=False)}"[:1500])
        if path.suffix == ".case" and not answer["low"]:
            print("  pillar: " + json.dumps(answer["pillar"], ensure_ascii=False)[:1500])


if __name__ == "__main__":
    main()
