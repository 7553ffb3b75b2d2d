"""The disk of a host: what is there, whose it is, and how two hosts' disks differ.

Run as a program (in the folder that `lab layer` gives) it prints what a host's disk has other than the image: only that
can differ between two hosts of one image, and it is little, so a look takes milliseconds.
"""
import hashlib
import json
import os
import re
import stat
import sys
import tarfile

# Where two hosts differ by their nature, or without anybody having changed a thing.
VOLATILE = re.compile(r"""
    (run|proc|sys|dev|tmp|opt/(salt|upshift)|var/(cache|log|tmp)|root/\.cache)(/.*)?
    | var/lib/(upshift|apt/(lists|periodic|mirrors)|systemd/(timers|linger|catalog|random-seed)|dbus|private|logrotate|ucf)(/.*)?
    | var/lib/dpkg/(lock.*|status.*|available.*|updates.*|triggers.*|.*-old)
    | etc/(machine-id|\.pwd\.lock|ld\.so\.cache|ssh/(ssh_host_.*|authorized_keys)|(passwd|shadow|group|gshadow|subuid|subgid)-?)
    | (.*/)?__pycache__(/.*)?
""", re.X)


def entry(path, name):
    """What is at a path: its kind, mode, owner, and what is in it."""
    info = os.lstat(path)
    kind = stat.S_IFMT(info.st_mode)
    owner = [oct(stat.S_IMODE(info.st_mode))[2:], info.st_uid, info.st_gid]
    if stat.S_ISCHR(kind) and info.st_rdev == 0:
        return ["gone"]
    if stat.S_ISLNK(kind):
        return ["link", "", *owner[1:], os.readlink(path)]
    if stat.S_ISDIR(kind):
        return ["folder", *owner, ""]
    if stat.S_ISREG(kind):
        return ["file", *owner, content(path)]
    return ["other", *owner, f"{kind:o}"]


def content(path):
    """What stands for a file's content; an archive has the times of its files in it, which do not count."""
    if path.endswith(".tar.gz"):
        with tarfile.open(path) as tar:
            return "archive of " + " ".join(f"{member.name}:{member.mode:o}:{member.uname}" for member in tar)
    with open(path, "rb") as f:
        text = f.read()
    if path.endswith("/etc/apt/sources.list"):  # Salt writes it anew for any repository, some lines with a space at the end
        text = text.replace(b" \n", b"\n")
    return hashlib.sha256(text).hexdigest()


def look(top="."):
    """The entries below a folder, and the folders of which nothing of the image is to be seen."""
    found, hidden = {}, []
    for here, folders, files in os.walk(top):
        inside = os.path.relpath(here, top)
        names = [os.path.normpath(os.path.join(inside, name)) for name in folders + files]
        folders[:] = [f for f in folders if not VOLATILE.fullmatch(os.path.normpath(os.path.join(inside, f)))]
        for name in names:
            if VOLATILE.fullmatch(name):
                continue
            path = os.path.join(top, name)
            found[name] = entry(path, name)
            if found[name][0] == "folder" and b"y" == _attribute(path, "trusted.overlay.opaque"):
                hidden.append(name)
    return {"found": found, "hidden": hidden}


def _attribute(path, name):
    try:
        return os.getxattr(path, name, follow_symlinks=False)
    except OSError:
        return None


class Disk:
    """A host's disk: its own layer over the image."""

    def __init__(self, image, layer):
        self.image, self.found, self.hidden = image, layer["found"], set(layer["hidden"])

    def at(self, name):
        """What is at a path; `None` is nothing."""
        if name in self.found:
            return None if self.found[name] == ["gone"] else self.found[name]
        above = os.path.dirname(name)
        while above:
            if above in self.hidden or self.found.get(above, ["folder"])[0] != "folder":
                return None
            above = os.path.dirname(above)
        path = os.path.join(self.image, name)
        return entry(path, name) if os.path.lexists(path) else None

    def differences(self, other):
        """The paths at which two disks differ, with what either has there."""
        return {name: (self.at(name), other.at(name)) for name in sorted({*self.found, *other.found})
                if self.at(name) != other.at(name)}


if __name__ == "__main__":
    json.dump(look(), sys.stdout)
