"""What goes wrong on demand, and back.  Each function is the command of its name; all act from outside the host."""
import ctypes
import errno
import os
import re
import signal
import subprocess
import sys
import time

from . import cgroup, client, host, world
from .host import port
from .state import Error, HERE, LAB_DIR, known, lock, mac, path, read, run, vm_address, write


def enter_net():
    """Moves this process into the controller's network, where the bridge and the hosts' ports are."""
    with open(f"/proc/{cgroup.need_labd()}/ns/net") as f:
        if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), 0):
            raise OSError(ctypes.get_errno(), "setns")


def disk(name):
    """A host's file system as this process can reach it, host up or not."""
    known(name)
    return f"/proc/{cgroup.need_labd()}/root{LAB_DIR}/h/{name}/root"


def execute(name, *argv, **kw):
    """Runs a command in a host that must succeed."""
    return run(world.LAB, "exec", name, *argv, env=world.environment(), **kw)


def _number(text, low, high, what):
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not low <= value <= high:
        raise Error(f"`{text}` is no {what} ({low:g} to {high:g})")
    return value


# -- network --------------------------------------------------------------------------------------------

def cut(name, seconds=None):
    """Pulls the cable; with seconds, plugs it in again after them, a signal notwithstanding."""
    known(name)
    limit = _number(seconds, 0, 86400, "number of seconds") if seconds is not None else None
    enter_net()
    run("ip", "link", "set", port(name), "down")
    if limit is not None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda got, _frame: sys.exit(128 + got))
        try:
            time.sleep(limit)
        finally:
            run("ip", "link", "set", port(name), "up")


def heal(name):
    """The network whole again: cable, loss and rate."""
    known(name)
    enter_net()
    run("ip", "link", "set", port(name), "up")
    _loss(name, 0)
    _rate(name, 0)


def loss(name, percent):
    """Drops packets at random, both ways, by nft: not every kernel has netem."""
    known(name)
    value = int(_number(percent, 0, 100, "percentage"))
    enter_net()
    _loss(name, value)


def _loss(name, percent):
    table = f"bridge loss_{name.replace('-', '_')}"
    subprocess.run(["nft", "delete", "table", *table.split()], stderr=subprocess.DEVNULL)
    if percent:
        drop = "drop" if percent == 100 else f"numgen random mod 100 < {percent} drop"
        into, out = f'iifname "{port(name)}" {drop};', f'oifname "{port(name)}" {drop};'
        run("nft", "-f", "-", input=f"""table {table} {{
  chain between {{ type filter hook forward priority 0; {into} {out} }}
  chain to_controller {{ type filter hook input priority 0; {into} }}
  chain from_controller {{ type filter hook output priority 0; {out} }}
}}""")


def rate(name, kbit):
    """A slow link, both ways; 0 for full speed."""
    known(name)
    value = int(_number(kbit, 0, 10_000_000, "rate in kbit/s"))
    enter_net()
    _rate(name, value)


def _rate(name, kbit):
    # The far end is in the host's network namespace, which the lab's mount namespace has a name for.
    far = ["nsenter", f"--net=/proc/{cgroup.need_labd()}/root{host.netns(name)}", "--"]
    for reach, device in (([], port(name)), (far, "eth0")):
        subprocess.run([*reach, "tc", "qdisc", "del", "dev", device, "root"], stderr=subprocess.DEVNULL)
        if kbit:
            run(*reach, "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{kbit}kbit", "burst", "4kb", "latency", "400ms")


# -- the host's inside ----------------------------------------------------------------------------------

def freeze(name):
    """User space stands still; the kernel goes on answering ping and taking connections."""
    cgroup.leader(name)
    cgroup.freeze(name, True)


def thaw(name):
    cgroup.leader(name)
    cgroup.freeze(name, False)


def kill_sshd(name, which="listener"):
    """SIGKILL for the listener (systemd starts it again), for the sessions, or for all."""
    if which not in ("listener", "sessions", "all"):
        raise Error(f"`{which}`: listener, sessions or all")
    cgroup.leader(name)
    for pid in cgroup.pids(f"{cgroup.host(name)}/payload"):
        title = read(f"/proc/{pid}/cmdline", "").replace("\0", " ")
        if re.match(r"sshd:|\S*/sshd\b", title):
            if which in ("all", "listener" if "[listener]" in title else "sessions"):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass


def fill(name):
    """Not a byte free on the host's disk."""
    filler = os.open(f"{disk(name)}/var/tmp/.lab-fill", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        free = os.fstatvfs(filler)
        size = os.fstat(filler).st_size
        if free.f_bavail:
            os.posix_fallocate(filler, size, free.f_bavail * free.f_bsize)
        for _ in range(4096):  # and what came free meanwhile
            os.write(filler, bytes(4096))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        os.close(filler)


def unfill(name):
    try:
        os.unlink(f"{disk(name)}/var/tmp/.lab-fill")
    except FileNotFoundError:
        pass


def rekey(name, back=None):
    """A new host key on the host, as after a new installation or with the wrong machine; known_hosts keeps the old one.
    `back` (and `reset`) restores the known key."""
    if back not in (None, "back"):
        raise Error("rekey HOST [back]")
    target = f"{disk(name)}/etc/ssh/ssh_host_ed25519_key"
    if back:
        for suffix in ("", ".pub"):
            write(target + suffix, read(path("keys", name + suffix)), 0o644 if suffix else 0o600)
    else:
        for suffix in ("", ".pub"):
            os.unlink(target + suffix)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", target)
    if cgroup.condition(name) == "up":
        execute(name, "systemctl", "restart", "ssh")


# -- power ----------------------------------------------------------------------------------------------

def reboot(name):
    """Clean, from within; returns when it gives an ssh banner again."""
    before = cgroup.leader(name)
    subprocess.run([world.LAB, "exec", name, "systemctl", "reboot"], env=world.environment(), stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def again():
        try:
            return cgroup.leader(name) != before
        except Error:
            return False
    cgroup.wait(again, 60, f"{name} to reboot")
    enter_net()
    host.wait_ssh([name], 60)


# -- roles ----------------------------------------------------------------------------------------------

def vm(*names):
    """A tenant workload in each host; prints its address."""
    for name in names:
        address = vm_address(known(name))
        with open(f"{HERE}/vm-setup.sh") as script:
            execute(name, "sh", "-s", address, mac(address), stdin=script)
        print(address, flush=True)


def bastion(*names):
    """Makes hosts the jump host, several of them a chain, and writes the aliases `via-NAME` and far001..far080."""
    if not names:
        raise Error("bastion HOST...")
    for name in names:
        cgroup.leader(name)
        # What sshd does by default too, but here it is said: of more than 10 unauthenticated connections 30 % are refused.
        write(f"{disk(name)}/etc/ssh/sshd_config.d/bastion.conf", "MaxStartups 10:30:100\nAllowTcpForwarding yes\n")
        execute(name, "systemctl", "restart", "ssh")
    with lock():
        write(path("bastion"), " ".join(names) + "\n")
        client.write_all()
