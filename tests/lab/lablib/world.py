"""A lab's life: one process, `lab _labd`, is PID 1 of a pid, mount and network namespace that holds everything.

When that process ends, the kernel ends every other process in it, and the mounts and networks go with them.
So a lab cannot outlive it, whatever dies in which order; what remains (empty cgroups, LAB_DIR, the sysctl)
is found by its id and removed by the next `down` or `up`.
"""
import os
import re
import select
import shutil
import signal
import subprocess
import sys

from . import cgroup, image
from .state import Error, HERE, ID, LAB_BIND, LAB_CACHE, LAB_DIR, LAB_DISK, LAB_JOBS, NET, SHARED, lock, path, read, run, write

LAB = f"{HERE}/lab"
MARK = ".upshift-lab"  # without it a LAB_DIR is never removed
INOTIFY = "/proc/sys/fs/inotify/max_user_instances"
# A host's systemd takes 7 of these, and all hosts share root's one limit, 128 by default: it ends near 18 hosts.
INOTIFY_NEEDED = 4096


def start(lifeline=None, ours=None):
    """Starts a lab unless one is alive.  With `lifeline`, a pipe's reading end, it dies when that pipe is closed, and none
    may be alive before; `ours` is called when that is known and before there is anything to clear away."""
    image.tools()
    image.build()
    with lock():
        if cgroup.labd() is not None:
            if lifeline is not None:
                raise Error(f"a lab is up in {LAB_DIR} already, and is not ours to take down: `lab down` first, or another LAB_DIR")
            return
        if ours:
            ours()
        _clean()  # what a lab that crashed has left
        _furnish()
        _raise_inotify()
        for top in cgroup.tops():
            os.makedirs(f"{top}/host", exist_ok=True)
        with open(path("log", "labd"), "w") as log:
            # In its own session, so that ^C and a closed terminal do not reach it.
            outer = subprocess.Popen(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child=SIGKILL", "--propagation", "slave",
                                      "--mount-proc", LAB, "_labd", "hold" if lifeline is not None else "stay"],
                                     stdin=subprocess.DEVNULL if lifeline is None else lifeline, stdout=subprocess.PIPE, stderr=log,
                                     start_new_session=True, cwd="/", env=environment())
        ready, _, _ = select.select([outer.stdout], [], [], 20)
        if not ready or outer.stdout.readline() != b"ready\n":
            outer.kill()
            complaint = read(path("log", "labd"), "")
            _clean()
            _leave_shared()
            raise Error(f"the lab did not start: {complaint.strip()}")
        outer.stdout.close()


def environment():
    """This process's environment with the lab's settings made explicit, so that every part means the same lab."""
    return dict(os.environ, LAB_DIR=LAB_DIR, LAB_CACHE=LAB_CACHE, LAB_DISK=LAB_DISK, LAB_JOBS=str(LAB_JOBS))


def binds():
    """What LAB_BIND says: paths of this machine, and where hosts have them."""
    found = []
    for word in LAB_BIND.split():
        source, _, target = word.partition(":")
        source, target = os.path.realpath(source), target or source
        if not os.path.exists(source) or not target.startswith("/") or not re.fullmatch(r"[A-Za-z0-9._/+-]+", source + target):
            raise Error(f"LAB_BIND: `{word}` has to be a PATH of this machine, or PATH:WHERE, of letters, digits and . _ / + -")
        found.append((source, target))
    return found


def _furnish():
    os.makedirs(LAB_DIR, exist_ok=True)
    write(path(MARK), ID + "\n")
    for part in ("keys", "repo", "knobs", "log", "h"):
        os.makedirs(path(part))
    os.chmod(path("keys"), 0o700)
    write(path("hosts"), "")
    write(path("base"), image.base())
    write(path("bind"), "".join(f"{source}:{target}\n" for source, target in binds()))
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", path("keys", "id_ed25519"))
    from . import client, repo
    client.write_all()
    repo.add([image.packages()])


def labd(mode):
    """PID 1 of the lab: makes the ground the hosts stand on, then only waits."""
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path("h"))
    for directory in ("/run/netns", "/run/systemd/nspawn"):  # private, so that nothing of ours shows outside
        os.makedirs(directory, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", directory)
    quiet_ipv6()
    run("ip", "-batch", "-", input=f"""\
link set lo up
link add br0 type bridge forward_delay 0 mcast_snooping 0
addr add {NET}.0.1/16 dev br0
link set br0 up
""")
    cgroup.join("repo")
    with open(path("log", "repo"), "w") as log:
        subprocess.Popen([sys.executable, f"{HERE}/lablib/repo_server.py", f"{NET}.0.1", path()], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    cgroup.join("init")
    signal.signal(signal.SIGCHLD, lambda *_: None)
    wake, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    os.dup2(2, 1)
    while True:  # as PID 1 it inherits every orphan, and reaps it
        for fd in select.select([wake, 0] if mode == "hold" else [wake], [], [])[0]:
            if not os.read(fd, 4096):
                return
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


def quiet_ipv6():
    """No IPv6 in this network namespace: 80 hosts' discovery, multicast to one another, costs more than their boot."""
    try:
        with open("/proc/sys/net/ipv6/conf/all/disable_ipv6", "w") as f:
            f.write("1")
    except OSError:
        pass  # a kernel without IPv6


def inside(*argv):
    """Runs a part of this command in the lab's namespaces, where `lab down` ends it with all else."""
    pid = cgroup.need_labd()
    done = subprocess.run(["nsenter", "-t", str(pid), "-m", "-n", "-p", "--", LAB, *argv],
                          stdin=subprocess.DEVNULL, env=environment())
    if done.returncode:
        sys.exit(done.returncode if done.returncode > 0 else 1)


# -- the end --------------------------------------------------------------------------------------------

def down():
    with lock():
        _clean()
        _leave_shared()


def _clean():
    """Removes whatever there is of this lab, alive, crashed or half made."""
    if os.path.isdir(LAB_DIR) and os.listdir(LAB_DIR) and not os.path.exists(path(MARK)):
        raise Error(f"{LAB_DIR} holds something other than a lab; it is not touched (LAB_DIR chooses another)")
    cgroup.leave()  # else a `lab down` from within `lab net` would kill itself
    pid = cgroup.labd()
    outer = _parent(pid)
    for top in cgroup.tops()[:1]:
        if pid is not None:  # first the hosts' power supplies' parent: nothing is started again
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        cgroup.kill(top)
    cgroup.remove(cgroup.tops())
    if outer:
        cgroup.wait(lambda: _parent(outer) in (None, 0) or _state(outer) == "Z", 5, "the lab's outermost process to end")
    shutil.rmtree(LAB_DIR, ignore_errors=True)


def _status(pid, field):
    for line in read(f"/proc/{pid}/status", "").splitlines():
        if line.startswith(field + ":"):
            return line.split()[1]
    return None


def _parent(pid):
    return pid and int(_status(pid, "PPid") or 0) or None


def _state(pid):
    return _status(pid, "State")


def _raise_inotify():
    limit = int(read(INOTIFY))
    if limit < INOTIFY_NEEDED:
        write(f"{SHARED}/inotify.was", f"{limit}\n")
        with open(INOTIFY, "w") as f:
            f.write(str(INOTIFY_NEEDED))


def _leave_shared():
    """Puts the sysctl back when no other lab is alive, and removes what labs share."""
    root = os.path.dirname(cgroup.tops()[0])
    others = [d for d in os.listdir(root) if d.startswith("upshift-lab-") and d != ID and cgroup.populated(f"{root}/{d}")]
    if others:
        return
    was = read(f"{SHARED}/inotify.was", "")
    if was:
        with open(INOTIFY, "w") as f:
            f.write(was)
    for file in ("inotify.was", "lock"):
        try:
            os.unlink(f"{SHARED}/{file}")
        except FileNotFoundError:
            pass
    try:
        os.rmdir(SHARED)
    except OSError:
        pass  # another lab's LAB_DIR is in it
