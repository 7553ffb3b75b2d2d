"""The lab's control groups: they say what runs, and can stop, freeze or kill all of it at once.

ID/init  the lab's PID 1        ID/net   what `lab net` and `lab ssh` started
ID/repo  the apt repository     ID/host/NAME  a host; systemd-nspawn makes `payload` and `supervisor` below

No controller is ever enabled in them, so they cost nothing and cannot limit anything.
"""
import os
import signal
import time

from .state import Error, ID, known, path, read


def _find(fstype, option=None):
    for line in read("/proc/mounts").splitlines():
        _, target, kind, options = line.split()[:4]
        if kind == fstype and (option is None or option in options.split(",")):
            return target
    return None


V2 = _find("cgroup2")
V1 = _find("cgroup", "name=systemd")  # a machine with both: systemd-nspawn wants its directory in each


def tops():
    if not V2:
        raise Error("this machine has no cgroup2 mounted")
    return [os.path.join(root, ID) for root in (V2, V1) if root]


def group(*parts):
    return os.path.join(tops()[0], *parts)


def host(name):
    return group("host", name)


def join(*parts):
    """Moves this process into a group of the lab, made when it is missing."""
    for top in tops():
        os.makedirs(os.path.join(top, *parts), exist_ok=True)
        with open(os.path.join(top, *parts, "cgroup.procs"), "w") as f:
            f.write("0" if top == tops()[0] else str(os.getpid()))


def leave():
    """Moves this process out of the lab's groups, so that it survives `kill`."""
    if f"/{ID}/" in read("/proc/self/cgroup"):
        for top in tops():
            with open(os.path.join(os.path.dirname(top), "cgroup.procs"), "w") as f:
                f.write(str(os.getpid()))


def pids(directory):
    """Every process in a group and below it."""
    found = []
    for here, _, _ in os.walk(directory):
        found += [int(pid) for pid in read(f"{here}/cgroup.procs", "").split()]
    return found


def populated(directory):
    return "populated 1" in read(f"{directory}/cgroup.events", "")


def labd():
    """The lab's PID 1, as this process sees it, or None: the only sign that a lab is alive."""
    first = read(group("init", "cgroup.procs"), "").split()
    return int(first[0]) if first else None


def need_labd():
    pid = labd()
    if pid is None:
        raise Error(f"no lab is up in {path()} (`lab up N` starts one; LAB_DIR chooses another)")
    return pid


def leader(name):
    """PID 1 of a host."""
    known(name)
    first = read(f"{host(name)}/payload/init.scope/cgroup.procs", "").split()
    if not first:
        raise Error(f"{name} is not running")
    return int(first[0])


def condition(name):
    """up, down or frozen."""
    if read(f"{host(name)}/cgroup.freeze", "0").strip() == "1":
        return "frozen"
    return "up" if populated(f"{host(name)}/payload/init.scope") else "down"


def freeze(name, on):
    with open(f"{host(name)}/cgroup.freeze", "w") as f:
        f.write("1" if on else "0")
    wait(lambda: f"frozen {int(on)}" in read(f"{host(name)}/cgroup.events", ""), 10, f"{name} to {'freeze' if on else 'thaw'}")


def wait(condition_holds, seconds, what):
    end = time.monotonic() + seconds
    while not condition_holds():
        if time.monotonic() > end:
            raise Error(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def kill(directory):
    """Kills everything in a group, frozen or not, and returns when nothing runs there any more."""
    if not os.path.isdir(directory):
        return
    try:
        with open(f"{directory}/cgroup.kill", "w") as f:
            f.write("1")
    except FileNotFoundError:  # before Linux 5.14: hold everything still, so that nothing forks away
        with open(f"{directory}/cgroup.freeze", "w") as f:
            f.write("1")
        for pid in pids(directory):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    wait(lambda: not populated(directory), 20, f"the processes of {directory} to end")


def remove(directories):
    """Removes empty groups; a process that has just ended may hold one for a moment."""
    for directory in directories:
        def gone(top=directory):
            for here, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(here)
                except OSError:
                    pass
            return not os.path.isdir(top)
        wait(gone, 10, f"{directory} to go")
