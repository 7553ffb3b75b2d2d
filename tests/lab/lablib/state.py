"""Where a lab keeps its things, which hosts it has, and whether it is alive.

A lab is named by its LAB_DIR.  Everything the kernel holds for it (cgroups, processes) carries the id
made from that path, so that what a crashed lab left behind can be found without any file of its own.
"""
import contextlib
import fcntl
import hashlib
import os
import pwd
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
CHECKOUT = os.path.dirname(os.path.dirname(HERE))
SHARED = "/run/upshift-lab"  # what all labs of this machine share: a lock and the sysctl's old value
NET = "198.18"               # RFC 2544's range for benchmarks; it exists only in the lab's own namespaces


def _short(text):
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _path(name, default):
    path = os.path.abspath(os.environ.get(name) or default)
    if not re.fullmatch(r"[A-Za-z0-9._/+-]+", path):  # it goes into mount options and into ssh_config
        sys.exit(f"lab: {name}: `{path}` has a character other than letters, digits and . _ / + -")
    return path


LAB_DIR = _path("LAB_DIR", f"{SHARED}/{_short(CHECKOUT)}")
# The account's home, not $HOME: a test with a HOME of its own must not build an image of its own.
LAB_CACHE = _path("LAB_CACHE", pwd.getpwuid(os.getuid()).pw_dir + "/.cache/upshift-lab")
LAB_DISK = os.environ.get("LAB_DISK") or "512m"
LAB_BIND = os.environ.get("LAB_BIND") or ""
LAB_JOBS = int(os.environ.get("LAB_JOBS") or 3 * (os.cpu_count() or 2))
ID = "upshift-lab-" + _short(LAB_DIR)


class Error(Exception):
    """Something to tell the person; `lab` prints it and exits 1."""


def path(*parts):
    """A path in LAB_DIR."""
    return os.path.join(LAB_DIR, *parts)


def read(file, default=None):
    try:
        with open(file) as f:
            return f.read()
    except OSError:
        if default is None:
            raise
        return default


def write(file, text, mode=0o644):
    """Writes a whole file at once: a reader sees the old one or the new one."""
    new = f"{file}.new{os.getpid()}"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as f:
        f.write(text)
    os.rename(new, file)


def run(*argv, **kw):
    """Runs a command that must succeed; its complaint becomes ours."""
    done = subprocess.run(argv, stdin=kw.pop("stdin", subprocess.DEVNULL) if "input" not in kw else None,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw)
    if done.returncode:
        raise Error(f"`{' '.join(argv)}` failed ({done.returncode}): {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@contextlib.contextmanager
def lock():
    """Held while a lab starts, ends or is given hosts; shared by all labs, so never held for long."""
    os.makedirs(SHARED, exist_ok=True)
    file = f"{SHARED}/lock"
    while True:
        fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(fd, fcntl.LOCK_EX)
        try:  # the last lab to go removes the file; then we hold one that nobody else can see
            if os.stat(file).st_ino == os.fstat(fd).st_ino:
                break
        except FileNotFoundError:
            os.makedirs(SHARED, exist_ok=True)
        os.close(fd)
    try:
        yield
    finally:
        os.close(fd)


# -- hosts ----------------------------------------------------------------------------------------------

def hosts():
    """Name to address, in the order they were added."""
    return dict(line.split() for line in read(path("hosts"), "").splitlines())


def known(name):
    """The address of a host, which must exist."""
    try:
        return hosts()[name]
    except KeyError:
        raise Error(f"no host `{name}`; the lab has: {' '.join(hosts()) or 'none'}") from None


def expand(words):
    """`12 ctl01` to cmp001..cmp012 and ctl01."""
    names = []
    for word in words:
        if word.isdigit():
            names += [f"cmp{n:03}" for n in range(1, int(word) + 1)]
        elif re.fullmatch(r"[a-z][a-z0-9-]{0,12}", word):  # `v-NAME` must fit into an interface's 15 characters
            names.append(word)
        else:
            raise Error(f"`{word}` is no host name: 1 to 13 lower-case letters, digits and `-`, beginning with a letter")
    if not names:
        raise Error("which hosts? a number N (cmp001..cmpN), names, or both")
    return list(dict.fromkeys(names))


def next_address(taken):
    """198.18.1.2 onwards, 250 a row; 198.18.129.2 onwards are the tenants' (see `vm_address`)."""
    return f"{NET}.{1 + (taken + 1) // 250}.{1 + (taken + 1) % 250}"


def vm_address(address):
    """The address of a host's tenant workload."""
    a, b, c, d = address.split(".")
    return f"{a}.{b}.{int(c) + 128}.{d}"


def mac(address):
    """The same at every boot, or neighbours would keep the old one for half a minute after a power cut."""
    return "02:00:" + ":".join(f"{int(n):02x}" for n in address.split("."))
