"""One host: its disk, its network, its power.  `boot`, `stop` and `reset` run inside the lab (`world.inside`).

    disk     a tmpfs of LAB_DISK as the upper layer of an overlay over the base image, in LAB_DIR/h/NAME
    network  a namespace /run/netns/NAME; a veth pair `eth0` in it, `v-NAME` on the bridge br0
    power    a shell loop in the namespace that runs systemd-nspawn, whose PID 1 is the host's systemd
"""
import contextlib
import ctypes
import fcntl
import os
import select
import socket
import subprocess
import time

from . import cgroup
from .state import Error, LAB_DISK, LAB_JOBS, NET, known, mac, path, read, run
from .world import quiet_ipv6

libc = ctypes.CDLL(None, use_errno=True)
MS_BIND, CLONE_NEWNET, MNT_DETACH = 4096, 0x40000000, 2


def _call(result, what):
    if result:
        raise Error(f"{what}: {os.strerror(ctypes.get_errno())}")


def _mount(source, target, kind, flags=0, data=""):
    _call(libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()), f"mount {target}")


def port(name):
    """The host's end on the bridge."""
    return f"v-{name}"


def netns(name):
    return f"/run/netns/{name}"


# -- disk -----------------------------------------------------------------------------------------------

def _make_disk(name, address):
    disk = path("h", name)
    if os.path.isdir(f"{disk}/root/usr"):
        return
    os.makedirs(disk, exist_ok=True)
    _mount(f"lab-{name}", disk, "tmpfs", 0, f"size={LAB_DISK},mode=755")
    for part in ("upper/etc/ssh", "work", "root"):
        os.makedirs(f"{disk}/{part}")
    etc = f"{disk}/upper/etc"
    files = {
        "hostname": f"{name}\n",
        "hosts": f"127.0.0.1 localhost\n{address} {name}\n{NET}.0.1 lab-repo\n",
        "machine-id": read("/proc/sys/kernel/random/uuid").replace("-", ""),
        "ssh/ssh_host_ed25519_key": read(path("keys", name)),
        "ssh/ssh_host_ed25519_key.pub": read(path("keys", f"{name}.pub")),
        "ssh/authorized_keys": read(path("keys", "id_ed25519.pub")),
    }
    for file, text in files.items():
        with open(os.open(f"{etc}/{file}", os.O_WRONLY | os.O_CREAT, 0o600 if file.endswith("_key") else 0o644), "w") as f:
            f.write(text)
    _mount(f"lab-{name}", f"{disk}/root", "overlay", 0, f"lowerdir={read(path('base'))},upperdir={disk}/upper,workdir={disk}/work")


def _remove_disk(name):
    for mounted in (path("h", name, "root"), path("h", name)):
        _call(libc.umount2(mounted.encode(), MNT_DETACH), f"umount {mounted}")


# -- network --------------------------------------------------------------------------------------------

def _make_network(name, address):
    if os.path.exists(netns(name)):
        return
    ours = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    with open(netns(name), "w"):
        pass
    try:
        _call(libc.unshare(CLONE_NEWNET), "unshare")
        _mount("/proc/self/ns/net", netns(name), "none", MS_BIND)
        quiet_ipv6()
    finally:
        _call(libc.setns(ours, CLONE_NEWNET), "setns")
        os.close(ours)
    run("ip", "-batch", "-", input=f"""\
link add {port(name)} type veth peer name eth0 address {mac(address)} netns {name}
link set {port(name)} master br0 up
""")
    # No route beyond the lab: what a host tries to reach outside is refused at once, not after a timeout.
    run("ip", "-n", name, "-batch", "-", input=f"""\
link set lo up
addr add {address}/16 dev eth0
link set eth0 up
""")


def _remove_network(name):
    subprocess.run(["ip", "link", "del", port(name)], stderr=subprocess.DEVNULL)
    if os.path.exists(netns(name)):
        _call(libc.umount2(netns(name).encode(), MNT_DETACH), f"umount {netns(name)}")
        os.unlink(netns(name))


# -- power ----------------------------------------------------------------------------------------------

# `--keep-unit` makes systemd-nspawn use the group it is in, and leave with 133 when the host reboots.
# It runs in the host's network namespace, so that the host's /sys/class/net is its own. Docker runs in it: its containers
# have keyrings, and programs that guard devices.
POWER = """
name=$1 root=$2; shift 2
for group; do echo $$ >"$group/cgroup.procs"; done
while
  systemd-nspawn --quiet --boot --register=no --keep-unit --hostname="$name" --machine="$name" \
    --capability=CAP_NET_ADMIN --system-call-filter="@keyring bpf" \
    --directory="$root" --link-journal=no --resolv-conf=off --timezone=off --console=pipe $BIND
  [ $? = 133 ]
do :; done
"""


def _power_on(name):
    if cgroup.condition(name) != "down":
        return
    address = known(name)
    cgroup.kill(cgroup.host(name))  # a supply whose host has powered itself off
    _make_disk(name, address)
    _make_network(name, address)
    groups = [f"{top}/host/{name}" for top in cgroup.tops()]
    for group in groups:
        os.makedirs(group, exist_ok=True)
    with open(path("log", f"{name}.console"), "a") as log:
        subprocess.Popen(["nsenter", f"--net={netns(name)}", "sh", "-c", POWER, "power", name, path("h", name, "root"), *groups],
                         stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                         env={"PATH": os.environ["PATH"],
                              "BIND": " ".join(f"--bind-ro={bind}" for bind in read(path("bind")).split()),
                              "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network", "UNIFIED_CGROUP_HIERARCHY": "yes"})


@contextlib.contextmanager
def switch(names):
    """Holds the power switches of some hosts: two `up` at once would start a host twice."""
    held = []
    try:
        for name in sorted(set(names)):  # in order, so that two holders never wait for each other
            known(name)
            held.append(os.open(path("h", f"{name}.switch"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC))
            fcntl.flock(held[-1], fcntl.LOCK_EX)
        yield
    finally:
        for fd in held:
            os.close(fd)


def boot(names, seconds=120):
    """Brings hosts from whatever they are to an ssh banner, LAB_JOBS at a time."""
    with switch(names):
        _boot(names, seconds)


def _boot(names, seconds=120):
    queue, wait = list(names), Banners()
    while queue or wait.pending:
        while queue and len(wait.pending) < LAB_JOBS:
            _power_on(queue[0])
            wait.add(queue.pop(0), seconds)
        wait.step()
    if wait.late:
        name = wait.late[0]
        raise Error(f"{len(wait.late)} of {len(names)} hosts gave no ssh banner in {seconds} s: {' '.join(wait.late)}\n"
                    f"the end of {path('log', name)}.console:\n" + read(path("log", f"{name}.console"), "")[-800:])


def stop(names):
    """As if the plug were pulled."""
    with switch(names):
        for name in names:
            _stop(name)


def _stop(name):
    # First the cable, so that no FIN or RST goes out.
    subprocess.run(["ip", "link", "set", port(name), "down"], stderr=subprocess.DEVNULL)
    cgroup.kill(cgroup.host(name))
    cgroup.remove([f"{top}/host/{name}" for top in cgroup.tops()])
    _remove_network(name)


def reset(names):
    """A fresh disk (and with it the host key that known_hosts knows)."""
    with switch(names):
        for name in names:
            _stop(name)
            _remove_disk(name)
        _boot(names)


class Banners:
    """Waits for many hosts' ssh banners at once; runs in the lab's network namespace."""

    def __init__(self):
        self.pending, self.late, self.up = {}, [], []  # pending: name to [address, deadline, socket, next try]

    def add(self, name, seconds):
        self.pending[name] = [known(name), time.monotonic() + seconds, None, 0.0]

    def step(self):
        """One round of at most 50 ms."""
        now = time.monotonic()
        for name, entry in list(self.pending.items()):
            address, deadline, sock, next_try = entry
            if now > deadline:
                self._settle(name, self.late)
            elif sock and now > next_try + 2:  # a frozen host takes connections and says nothing
                sock.close()
                entry[2] = None
            elif not sock and now > next_try:
                entry[2] = socket.socket()
                entry[2].setblocking(False)
                entry[2].connect_ex((address, 22))
                entry[3] = now
        open_ones = {entry[2]: name for name, entry in self.pending.items() if entry[2]}
        ready = select.select(list(open_ones), [], [], 0.05)[0] if open_ones else time.sleep(0.02) or []
        for sock in ready:
            name = open_ones[sock]
            try:
                said = sock.recv(4)
            except OSError:
                said = b""
            if said == b"SSH-":
                self._settle(name, self.up)
            else:
                sock.close()
                self.pending[name][2:] = [None, time.monotonic() + 0.04]

    def _settle(self, name, outcome):
        sock = self.pending.pop(name)[2]
        if sock:
            sock.close()
        outcome.append(name)


def wait_ssh(names, seconds):
    wait = Banners()
    for name in names:
        wait.add(name, seconds)
    while wait.pending:
        wait.step()
    if wait.late:
        raise Error(f"no ssh banner in {seconds:g} s: {' '.join(wait.late)}")
