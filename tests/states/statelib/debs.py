"""Makes Debian packages: stand-ins with the users, services and commands that formulas expect of the real ones."""
import gzip
import io
import tarfile
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Package:
    """A stand-in."""

    name: str
    version: str = "1.0"
    # The system user it makes, with a home in /var/lib.
    user: str = ""
    # Its services, and the port that each answers at, 0 for none.
    services: dict = field(default_factory=dict)
    # Its commands: texts for a shell.
    commands: dict = field(default_factory=dict)
    # Its configuration files.
    files: dict = field(default_factory=dict)
    # Folders that are empty at first.
    folders: tuple = ()
    depends: str = ""


UNIT = """\
[Unit]
Description=A stand-in for {name}

[Service]
{run}

[Install]
WantedBy=multi-user.target
"""

# Says that all is well to whoever asks, as HTTP or as ZooKeeper; asked for what is elsewhere, it is a proxy.
DAEMON = """\
import os, socket, sys, urllib.request
from urllib.error import HTTPError
def answer(asked):
    if asked.startswith(b"GET http"):
        try:
            page = urllib.request.urlopen(asked.split()[1].decode()).read()
        except HTTPError as error:
            return b"HTTP/1.1 %d No\\r\\nContent-Length: 0\\r\\n\\r\\n" % error.code
        return b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%b" % (len(page), page)
    return b"HTTP/1.0 200 OK\\r\\n\\r\\nEstablished\\n" if asked.startswith(b"GET") else b"Mode: standalone\\n"
server = socket.create_server(("", int(sys.argv[1])))
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", "\\0", 1))
while True:
    asker, _ = server.accept()
    asker.sendall(answer(asker.recv(4096)))
    asker.close()
"""

CONFIGURE = """\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
{user}
for unit in {units}; do
  deb-systemd-helper unmask $unit.service >/dev/null
  if deb-systemd-helper --quiet was-enabled $unit.service; then deb-systemd-helper enable $unit.service >/dev/null; fi
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    deb-systemd-invoke restart $unit.service >/dev/null || true
  fi
done
"""

REMOVE = """\
#!/bin/sh
set -e
for unit in {units}; do
  [ ! -d /run/systemd/system ] || [ "$1" != remove ] || deb-systemd-invoke stop $unit.service >/dev/null || true
done
"""


def write(package, folder):
    """Writes the package into a folder, the same bytes every time."""
    files = {path: (0o644, text) for path, text in package.files.items()}
    for name, text in package.commands.items():
        files[f"usr/bin/{name}"] = (0o755, f"#!/bin/sh\n{text}\n")
    for name, port in package.services.items():
        run = "ExecStart=/usr/bin/sleep infinity"
        if port:
            run = f"Type=notify\nExecStart=/usr/bin/python3 -ISu /usr/lib/{package.name}/{name}.py {port}"
            files[f"usr/lib/{package.name}/{name}.py"] = (0o644, DAEMON)
        files[f"lib/systemd/system/{name}.service"] = (0o644, UNIT.format(name=name, run=run))
    units = " ".join(package.services)
    user = package.user and f"id {package.user} >/dev/null 2>&1 || useradd --system --user-group --create-home " \
                            f"--home-dir /var/lib/{package.user} --shell /usr/sbin/nologin {package.user}"
    control = {"control": (0o644, f"Package: {package.name}\nVersion: {package.version}\nArchitecture: all\n"
                                  f"Maintainer: upshift <lab@example.org>\n"
                                  + (f"Depends: {package.depends}\n" if package.depends else "")
                                  + "Description: a stand-in\n"),
               "postinst": (0o755, CONFIGURE.format(user=user, units=units)), "prerm": (0o755, REMOVE.format(units=units))}
    configuration = "".join(f"/{path}\n" for path in package.files if path.startswith("etc/"))
    if configuration:
        control["conffiles"] = (0o644, configuration)
    version = package.version.replace(":", "%3a")
    archive = b"!<arch>\n" + b"".join(_member(name, content) for name, content in (
        ("debian-binary", b"2.0\n"), ("control.tar.gz", _tar(control)), ("data.tar.gz", _tar(files, package.folders))))
    (Path(folder) / f"{package.name}_{version}_all.deb").write_bytes(archive)


def _member(name, content):
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
    return head + content + b"\n" * (len(content) % 2)


def _tar(files, empty=()):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        folders = {folder.as_posix() for path in [*files, *(f"{path}/x" for path in empty)] for folder in Path(path).parents}
        for name in sorted(folders | set(files)):
            member = tarfile.TarInfo("." if name == "." else f"./{name}")
            if name in folders:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(member)
            else:
                member.mode, text = files[name]
                member.size = len(text.encode())
                tar.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)
