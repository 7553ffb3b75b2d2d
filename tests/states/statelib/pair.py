"""Two hosts that are the same but for who works on them: Salt on one, upshift on the other.

Each is the only host of a lab of its own, so that both have the same name, address and hardware address, and no answer of
the host can be a reason for a difference.
"""
import io
import json
import os
import subprocess
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .layer import Disk

HERE = Path(__file__).resolve().parent
LAB = str(HERE.parent.parent / "lab/lab")
HOST = "node"
# Where a host has what is applied. All of /run is left out of every comparison.
PLACE = "/run/compare"


class Failed(Exception):
    """Something that has nothing to do with what is compared went wrong."""


class Host:
    """One of the two hosts, with its engine."""

    def __init__(self, engine, top, binds):
        self.engine = engine
        self.environment = dict(os.environ, LAB_DIR=f"{top}/{engine.name}", LAB_BIND=" ".join(binds), LAB_DISK="2g")
        self.seconds = 0.0

    def up(self):
        """Starts it; it goes when this process does."""
        self.hold = subprocess.Popen([LAB, "hold", HOST], env=self.environment, text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.hold.stdout.readline() != "ready\n":
            raise Failed(f"the lab of {self.engine.name} did not start")
        self.image = (Path(self.environment["LAB_DIR"]) / "base").read_text()

    def down(self):
        self.hold.stdin.close()
        self.hold.wait()

    def lab(self, *argv, text=None, good=(0,)):
        """A command of its lab."""
        done = subprocess.run([LAB, *argv], env=self.environment, text=True, input=text or "", capture_output=True, check=False)
        if good and done.returncode not in good:
            raise Failed(f"{self.engine.name}: `{' '.join(argv)[:200]}` ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
        return done

    def run(self, *argv, **kw):
        """A command in the host."""
        return self.lab("exec", HOST, *argv, **kw)

    def prepare(self, identity, packages, tree, pillar, commands):
        """A fresh disk with everything that is to be applied, its name, and what the case wants to be there."""
        self.lab("reset", HOST)
        self.place(tree, pillar)
        self.run("sh", "-s", text=f"{identity}\nmkdir -p /etc/salt && cp /opt/salt/bin/minion /etc/salt/")
        if packages:
            self.run("sh", "-c", "apt-get update -qq && apt-get install -qq -y -o Dpkg::Use-Pty=0 " + " ".join(packages))
        self.again({}, commands)

    def again(self, pillar, commands):
        """The next case of the same host."""
        self.place([], pillar)
        for command in commands:
            self.run("sh", "-c", command)
        self.engine.prepare(self)

    def place(self, tree, pillar):
        """Puts what is to be applied where the engines look for it."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for folder in tree:
                tar.add(folder, arcname="root")
            for name, text in pillar.items():
                member = tarfile.TarInfo(name)
                member.size = len(text.encode())
                tar.addfile(member, io.BytesIO(text.encode()))
        done = subprocess.run([LAB, "exec", HOST, "sh", "-c", f"mkdir -p {PLACE} && tar -xC {PLACE} --no-same-owner"],
                              env=self.environment, input=packed.getvalue(), capture_output=True, check=False)
        if done.returncode:
            raise Failed(done.stderr.decode())

    def disk(self):
        return Disk(self.image, json.loads(self.lab("layer", HOST, "/usr/bin/python3", "-IS", str(HERE / "layer.py")).stdout))

    def facts(self):
        return json.loads(self.run("python3", "-IS", "-", text=(HERE / "facts.py").read_text()).stdout)

    def apply(self, sls, preview):
        """The engine's answer: tag to what became of it; or the text of a refusal."""
        began = time.monotonic()
        done = self.run(*self.engine.command(sls, preview), good=())
        self.seconds = time.monotonic() - began
        try:
            answer = json.loads(done.stdout[done.stdout.index("{"):])["local"]
        except (ValueError, KeyError):
            answer = None
        if isinstance(answer, list):
            answer, done.stderr = None, "\n".join(map(str, answer))
        return answer if answer is not None else (done.stderr.strip() or done.stdout.strip())[-3000:]

    def text(self, path):
        """A file's text, if it is one."""
        done = subprocess.run([LAB, "exec", HOST, "cat", "/" + path], env=self.environment, capture_output=True, check=False)
        try:
            return done.stdout.decode()
        except UnicodeDecodeError:
            return repr(done.stdout[:2000])


class Salt:
    """Real Salt, from the environment that tests/conformance/venv makes."""

    name = "salt"

    @staticmethod
    def binds():
        return subprocess.run([str(HERE.parent / "bind")], text=True, capture_output=True, check=True).stdout.split()

    def prepare(self, host):
        pass

    def command(self, sls, preview):
        return ["/opt/salt/bin/salt-call", "--file-root", f"{PLACE}/root", "--pillar-root", f"{PLACE}/pillar", "--out", "json",
                "--log-level", "quiet", "state.apply", ",".join(sls), *(["test=True"] if preview else [])]


class Upshift:
    """`upshift call`, the binary that is asked for."""

    name = "upshift"

    def __init__(self, binary):
        self.binary = Path(binary).resolve()

    def binds(self):
        return [f"{self.binary.parent}:/opt/upshift"]

    def prepare(self, host):
        pass

    def command(self, sls, preview):
        return [f"/opt/upshift/{self.binary.name}", "call", *sls, "--root", f"{PLACE}/root", "--pillar", f"{PLACE}/pillar.yaml",
                "--format", "json", *(["--preview"] if preview else [])]


class Pair:
    """The two hosts. What is said to the pair is done on both at once."""

    def __init__(self, binary):
        self.top = tempfile.mkdtemp(prefix="upshift-states-")
        engines = [Salt(), Upshift(binary)]
        # Both have all that either needs: the hosts must not differ in that.
        binds = [bind for engine in engines for bind in engine.binds()]
        self.hosts = [Host(engine, self.top, binds) for engine in engines]
        self.salt, self.upshift = self.hosts
        self.pool = ThreadPoolExecutor(2)

    def __enter__(self):
        for host in self.hosts:
            host.up()
        return self

    def __exit__(self, *_):
        for host in self.hosts:
            host.down()
        os.rmdir(self.top)

    def both(self, what, *args):
        """Calls a method of `Host` on both hosts at once; the answers in the order of `hosts`."""
        return list(self.pool.map(lambda host: getattr(host, what)(*args), self.hosts))
