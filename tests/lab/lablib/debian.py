"""Packages of Debian itself, for hosts that reach no mirror: fetched once, with whatever of theirs the image lacks."""
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from . import image, state

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def fetch(names):
    """A folder with the packages and what they depend on."""
    image.tools()
    image.build()
    key = hashlib.sha256(" ".join([image.key(), *sorted(names)]).encode()).hexdigest()[:16]
    folder = Path(f"{state.LAB_CACHE}/packages-{key}")  # the lab forgets what nobody has used for a month
    with image.making():
        if not folder.is_dir():
            with tempfile.TemporaryDirectory() as top:
                _fetch(names, top)
                shutil.rmtree(f"{folder}.new", ignore_errors=True)
                shutil.copytree(f"{top}/archives", f"{folder}.new", ignore=lambda _, found: [f for f in found if not f.endswith(".deb")])
                os.rename(f"{folder}.new", folder)
        os.utime(folder)
    return folder


def _fetch(names, top):
    for part in ("lists/partial", "archives/partial"):
        os.makedirs(f"{top}/{part}")
    Path(f"{top}/sources.list").write_text(f"deb [signed-by={KEYRING}] {image.mirror()} {image.SUITE} main\n", encoding="utf8")
    settings = {"Dir::State::lists": f"{top}/lists", "Dir::State::status": f"{image.base()}/var/lib/dpkg/status",
                "Dir::Cache": top, "Dir::Cache::archives": f"{top}/archives", "Dir::Etc::sourcelist": f"{top}/sources.list",
                "Dir::Etc::sourceparts": "-", "APT::Sandbox::User": "root"}
    apt = ["apt-get", "-qq", "-y", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]
    state.run(*apt, "update")
    state.run(*apt, "install", "--download-only", "--no-install-recommends", *names)
