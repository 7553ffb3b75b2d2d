"""The hosts' apt repository, `deb http://lab-repo/ ./`: a flat one of whatever is in LAB_DIR/repo."""
import email.utils
import glob
import gzip
import hashlib
import os
import shutil

from . import cgroup
from .state import Error, path, run, write

KNOBS = {"delay": "seconds before each answer", "rate": "kilobytes a second", "fail": "an HTTP status for every answer"}


def add(directories):
    """Copies the packages of the directories into their repositories, and says how many the last one has."""
    names = {}
    for directory in directories:
        name, _, directory = directory.rpartition("=")
        debs = glob.glob(f"{directory}/*.deb")
        if not debs:
            raise Error(f"no .deb in {directory}")
        os.makedirs(path("repo", name), exist_ok=True)
        for deb in debs:
            shutil.copy(deb, path("repo", name))
        names[name] = None
    return [_index(path("repo", name)) for name in names][-1]


def _index(folder):
    """Makes the index of a repository; returns how many packages it has."""
    index = run("dpkg-scanpackages", "--multiversion", ".", cwd=folder).encode()
    files = {"Packages": index, "Packages.gz": gzip.compress(index, mtime=0)}
    # A Release file: without one, apt tries nine names for the index before it finds it.
    release = f"Origin: upshift-lab\nLabel: upshift-lab\nSuite: lab\nDate: {email.utils.formatdate(usegmt=True)}\nSHA256:\n"
    for name, data in files.items():
        release += f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}\n"
        with open(f"{folder}/.{name}", "wb") as f:
            f.write(data)
        os.rename(f.name, f"{folder}/{name}")
    write(f"{folder}/Release", release)
    return index.count(b"\nPackage: ") + index.startswith(b"Package: ")


def knob(name, value):
    """Makes the repository slow or broken; 0 puts a knob back."""
    cgroup.need_labd()
    if name not in KNOBS:
        raise Error(f"no knob `{name}`; there are: {', '.join(f'{k} ({v})' for k, v in KNOBS.items())}")
    write(path("knobs", name), f"{float(value):g}\n")
