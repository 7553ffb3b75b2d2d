"""The base image, the demo packages, and the tools that are needed.

The image is a tar file in LAB_CACHE, named by a key made from all that goes into it, and unpacked beside
it; hosts only read it (it is the lower layer of their file systems), so one copy serves every lab.
"""
import contextlib
import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time

from .state import Error, HERE, LAB_CACHE, read, run

SUITE = os.environ.get("LAB_SUITE") or "bookworm"
PACKAGES = ("systemd,systemd-sysv,dbus,openssh-server,openssh-client,iproute2,iputils-ping,procps,python3,"
            "ca-certificates,sudo,curl,less,netbase,gpgv")
PUBLIC_MIRROR = "http://deb.debian.org/debian"  # for a machine that is no Debian of this suite itself
# command: package
TOOLS = {"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "nft": "nftables", "zstd": "zstd",
         "dpkg-scanpackages": "dpkg-dev", "ip": "iproute2", "ssh": "openssh-client", "curl": "curl", "nsenter": "util-linux",
         "gpg": "gpg", "gpg-agent": "gpg-agent", "age": "age"}


def tools():
    """Installs what is missing, and says nothing when nothing is."""
    missing = sorted({package for command, package in TOOLS.items() if not shutil.which(command)})
    if not glob.glob("/usr/share/keyrings/debian-archive-*"):
        missing.append("debian-archive-keyring")
    if not missing:
        return
    apt = ["apt-get", "-qq", "-y", "-o", "Dpkg::Use-Pty=0"]
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    install = [*apt, "install", "--no-install-recommends", *missing]
    if subprocess.run(install, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        run(*apt, "update", env=env)
        run(*install, env=env)


def mirror():
    """The machine's own mirror for the suite: LAB_MIRROR, a deb822 file or a classic list; else Debian's."""
    if os.environ.get("LAB_MIRROR"):
        return os.environ["LAB_MIRROR"]
    for file in sorted(glob.glob("/etc/apt/sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", read(file, "")):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.M))
            if fields.get("Enabled", "yes") != "no" and "deb" in fields.get("Types", "").split() \
                    and SUITE in fields.get("Suites", "").split() and "main" in fields.get("Components", "").split():
                return fields["URIs"].split()[0]
    for file in ["/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*.list"))]:
        for line in read(file, "").splitlines():
            words = re.sub(r"\[[^]]*\]|#.*", "", line).split()
            if words[:1] == ["deb"] and words[2:3] == [SUITE] and "main" in words[3:]:
                return words[1]
    return PUBLIC_MIRROR


def key():
    """Changes with whatever would make another image."""
    parts = [SUITE, PACKAGES, read(f"{HERE}/base-setup.sh")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def base():
    """The unpacked image of the present key."""
    return f"{LAB_CACHE}/base-{key()}"


@contextlib.contextmanager
def making():
    """Held while something is made in the cache.  Two who want the same: the second waits and finds it made."""
    os.makedirs(LAB_CACHE, exist_ok=True)
    with open(f"{LAB_CACHE}/build.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build():
    """Makes what is missing of the image and the packages."""
    with making():
        if not os.path.isdir(base()):
            tar = f"{base()}.tar.zst"
            if not os.path.exists(tar):
                _bootstrap(tar)
            shutil.rmtree(f"{base()}.new", ignore_errors=True)
            os.mkdir(f"{base()}.new")
            run("tar", "-C", f"{base()}.new", "-xp", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-I", "zstd", "-f", tar)
            os.rename(f"{base()}.new", base())
            _forget()
        _packages()
        for used in (base(), packages()):
            os.utime(used)


def _forget(days=30):
    """Removes images and packages of earlier keys that no lab has been started from for a month."""
    for old in glob.glob(f"{LAB_CACHE}/base-????????????????") + glob.glob(f"{LAB_CACHE}/packages-????????????????"):
        if time.time() - os.stat(old).st_mtime > days * 86400:
            shutil.rmtree(old)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{old}.tar.zst")


def _bootstrap(tar):
    """mmdebstrap in memory when there is room: the disk is what makes it slow."""
    room = "/dev/shm" if os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > 2 << 30 else LAB_CACHE
    scratch = tempfile.mkdtemp(prefix="upshift-lab-build.", dir=room)
    options = ["--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
               "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-include=/usr/share/doc/*/copyright"]
    proxy = re.search(r'"(.*)"', run("apt-config", "dump", "Acquire::http::Proxy"))
    if proxy and proxy[1]:  # only for the building: base-setup.sh takes it out again
        options.append(f'--aptopt=Acquire::http::Proxy "{proxy[1]}"')
    try:
        with open(f"{LAB_CACHE}/build.log", "w") as log:
            if subprocess.run(["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={PACKAGES}", *options,
                               f"--customize-hook={HERE}/base-setup.sh", SUITE, f"{scratch}/base.tar", mirror()],
                              env=dict(os.environ, TMPDIR=scratch), stdin=subprocess.DEVNULL, stdout=log, stderr=log).returncode:
                raise Error(f"the image was not built; the end of {LAB_CACHE}/build.log:\n" + read(log.name)[-1500:])
        run("zstd", "-q", "-T0", "-3", "-f", f"{scratch}/base.tar", "-o", f"{tar}.new")
        os.rename(f"{tar}.new", tar)
    finally:
        shutil.rmtree(scratch)


def packages():
    """Where the demo packages are once built."""
    sources = sorted(os.path.join(here, f) for here, _, files in os.walk(f"{HERE}/packages") for f in files)
    digest = hashlib.sha256("\0".join(read(f) for f in sources).encode()).hexdigest()[:16]
    return f"{LAB_CACHE}/packages-{digest}"


def _packages():
    if not os.path.isdir(packages()):
        shutil.rmtree(f"{packages()}.new", ignore_errors=True)
        os.mkdir(f"{packages()}.new")
        for version in ("3.0.2", "3.1.1"):
            run(f"{HERE}/packages/build", version, f"{packages()}.new")
        os.rename(f"{packages()}.new", packages())
