"""The files a client needs: known_hosts, ssh_config and inventory.toml, all made from LAB_DIR/hosts (and LAB_DIR/bastion)."""
import re

from . import cgroup
from .state import LAB_DIR, hosts, path, read, write

FAR = 80  # aliases behind the bastion
HEAD = '[ssh]\nconfig = "ssh_config"\n\n[defaults]\ntransport = "ssh"\n\n'


def write_all():
    write(path("known_hosts"), "".join(f"{name},{address} {' '.join(read(path('keys', name + '.pub')).split()[:2])}\n"
                                       for name, address in hosts().items()))
    write(path("ssh_config"), ssh_config())
    write(path("inventory.toml"), inventory())
    if bastions():
        write(path("inventory-far.toml"), f'{HEAD}[groups.far]\nhosts = ["far[001-{FAR:03}]"]\n')


def bastions():
    return read(path("bastion"), "").split()


def ssh_config():
    def entry(alias, name, jump=""):
        return f"Host {alias}\n  HostName {hosts_now[name]}\n  HostKeyAlias {name}\n" + (f"  ProxyJump {jump}\n" if jump else "")

    hosts_now, jump = hosts(), ",".join(bastions())
    entries = [entry(name, name) for name in hosts_now]
    if jump:
        others = [name for name in hosts_now if name not in bastions()]
        entries += [entry(f"via-{name}", name, jump) for name in others]
        up = [name for name in others if cgroup.condition(name) == "up"]
        if up:
            entries += [entry(f"far{n + 1:03}", up[n % len(up)], jump) for n in range(FAR)]
    # ssh takes the first value it finds, so what is for all comes last.  OpenSSH does not look at $HOME:
    # this file is only used when given with -F.
    return "".join(entries) + f"""\
Host *
  User root
  IdentityFile {LAB_DIR}/keys/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile {LAB_DIR}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 10
"""


def inventory():
    """upshift's inventory: a group for each prefix of numbered names."""
    groups = {}
    for name in hosts():
        match = re.fullmatch(r"([a-z][a-z-]*?)-?(\d+)", name)
        if match and match[1] not in hosts():
            groups.setdefault(match[1], []).append(name)
    text = HEAD
    for group, names in sorted(groups.items()):
        text += f"[groups.{group}]\nhosts = [{', '.join(fold(names))}]\n"
    for name, address in hosts().items():
        text += f'\n[hosts.{name}]\naddress = "{address}"\n'
    return text


def fold(names):
    """cmp001 .. cmp080 and cmp082 to "cmp[001-080]", "cmp082"."""
    runs = []  # [stem, width, first, last]
    for name in sorted(names):
        stem, digits = re.fullmatch(r"(.*?)(\d+)", name).groups()
        if runs and runs[-1][:2] == [stem, len(digits)] and runs[-1][3] + 1 == int(digits):
            runs[-1][3] += 1
        else:
            runs.append([stem, len(digits), int(digits), int(digits)])
    return [f'"{stem}{a:0{w}}"' if a == b else f'"{stem}[{a:0{w}}-{b:0{w}}]"' for stem, w, a, b in runs]
