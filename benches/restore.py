#!/usr/bin/python3 -IS
"""How long it takes to put back a database of 100 MB: upshift beside the client on its own, and how well that is foretold.

  benches/restore.py [--rounds 5] [--megabytes 100] [--keep]

A MariaDB server on a lab host gets a database whose dump is so large. Then, in turn, --rounds times:
  client      `mariadb < dump.sql` on the host, nothing else
  zcat        `zcat dump.sql.gz | mariadb` there, since a backup is kept compressed
  upshift     the step `restore`: the backup is read and checked, loaded, and every table counted
Then a run backs the database up with a restore test, changes it, and is taken back, --rounds times: what the rollback was
planned to take is compared with what it took.

UPSHIFT is the binary, by default the release build of this checkout. LAB_DIR and LAB_CACHE are the lab's; a lab that is up
already is used, and needs a LAB_DISK of 4g. Needs root.
"""
import json
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import measure  # noqa: E402
from measure import LAB, spread  # noqa: E402

# What a restore may take, of what the client takes, and how far a plan may be from what it took.
MOST, FAR = 1.5, 0.25

RUN = """[pipeline]
name = "restored"
[[stage]]
name = "backup"
hosts = "cmp001"
[[stage.step]]
backup = { engine = "mariadb", restore-test = true }
[[stage]]
name = "upgrade"
hosts = "cmp001"
[[stage.step]]
run = "mariadb -e 'DELETE FROM nova.instances LIMIT 1000'"
"""

RESTORE = """[pipeline]
name = "alone"
[[stage]]
name = "data"
hosts = "cmp001"
[[stage.step]]
restore = { engine = "mariadb", run = "ID" }
"""

ROWS = """
CREATE DATABASE nova; USE nova;
CREATE TABLE instances (id INT AUTO_INCREMENT PRIMARY KEY, uuid CHAR(36), host VARCHAR(64), state INT, data TEXT,
  UNIQUE (uuid), INDEX (host, state));
INSERT INTO instances (uuid, host, state, data)
  SELECT CONCAT(MD5(seq), '-abc'), CONCAT('cmp', seq % 80), seq % 5, CONCAT(SHA2(seq, 512), SHA2(-seq, 256), ' error')
  FROM seq_1_to_COUNT;
"""

# Bytes of a row in a dump.
ROW = 270


def main():
    parser = measure.arguments(__doc__, rounds=5)
    parser.set_defaults(hosts=1)
    parser.add_argument("--megabytes", type=int, default=100)
    options = parser.parse_args()
    if options.inside:
        return Bench(options).run()
    os.environ.setdefault("LAB_DISK", "4g")
    return measure.on_lab(options, lambda: subprocess.run([LAB, "debian", "mariadb-server"], check=True, stdout=sys.stderr))


class Bench(measure.Bench):
    def __init__(self, options):
        super().__init__(options)
        self.megabytes = options.megabytes

    def measure(self):
        self.host("apt-get -qq update && apt-get -qq -y install --no-install-recommends mariadb-server >/dev/null 2>&1")
        rows = ROWS.replace("COUNT", str(self.megabytes * 1_000_000 // ROW))
        self.host("mariadb -e 'DROP DATABASE IF EXISTS nova' && mariadb", stdin=rows)
        self.host("mariadb-dump --single-transaction --add-drop-database --databases nova >dump.sql && gzip -1 -k -f dump.sql")
        size = int(self.host("stat -c %s dump.sql").said)
        self.write("run.toml", RUN)
        self.upshift_("run", "run.toml")
        run = self.newest()
        self.write("restore.toml", RESTORE.replace("ID", run))
        took = {"client": [], "zcat": [], "upshift": [], "step": []}
        for _ in range(self.rounds):
            took["client"].append(self.host("mariadb <dump.sql").wall)
            took["zcat"].append(self.host("zcat dump.sql.gz | mariadb").wall)
            took["upshift"].append(self.upshift_("run", "restore.toml").wall)
            took["step"].append(self.stages()["data"])
            print({name: f"{times[-1]:.2f} s" for name, times in took.items()}, file=sys.stderr)
        planned = [self.take_back() for _ in range(self.rounds)]
        self.say_machine(self.host("mariadb --version").said.strip())
        self.say_load("seconds: median (lowest to highest)")
        print(f"a dump of {size / 1e6:.0f} MB is put back in")
        bare = statistics.median(took["client"])
        for name, what in {"client": "mariadb < dump", "zcat": "zcat dump.gz | mariadb", "step": "the step of upshift",
                           "upshift": "the whole command"}.items():
            print(f"  {what:<24} {spread(took[name]):<26} {statistics.median(took[name]) / bare:.2f} x")
        print("a rollback is planned to take, and takes")
        for plan, fact in planned:
            print(f"  {plan:.1f} s, {fact:.1f} s: {100 * (plan / fact - 1):+.0f} %")
        ratio = statistics.median(took["step"]) / bare
        worst = max(abs(plan / fact - 1) for plan, fact in planned)
        if ratio > MOST or worst > FAR:
            sys.exit(f"too slow, or not as planned: {ratio:.2f} x of {MOST}, {100 * worst:.0f} % of {100 * FAR:.0f} %")

    def take_back(self):
        """What a rollback was planned to take, and what it took, of its stages together."""
        self.upshift_("run", "run.toml")
        run = self.newest()
        self.upshift_("rollback", run)
        plan = json.loads(measure.read(os.path.join(self.scratch, ".upshift/runs", self.newest(), "plan.json")))
        steps = [step["expected"] for stage in plan["stages"] for step in stage["steps"]]
        assert all(step["source"] == "measured" for step in steps), steps
        return sum(seconds(step["p50"]) for step in steps), sum(self.stages().values())

    def stages(self):
        """How long each stage of the newest run took."""
        report = json.loads(self.upshift_("report", "--format", "json").said)
        return {stage["name"]: stage["actual_s"] for stage in report["stages"]}

    def newest(self):
        runs = os.path.join(self.scratch, ".upshift/runs")
        return max(os.listdir(runs), key=lambda run: os.stat(os.path.join(runs, run, "plan.json")).st_mtime_ns)

    def upshift_(self, *arguments):
        inventory = ["-i", self.inventory[""]] if arguments[0] == "run" else []
        with open(os.devnull) as nothing:
            return self.once([self.upshift, *arguments, *inventory], cwd=self.scratch, stdin=nothing)

    def host(self, command, stdin=""):
        """Runs a command in the host."""
        with open(self.write("stdin", stdin)) as given:
            return self.once(["ssh", "-F", self.config[""], "cmp001", command], stdin=given)


def seconds(text):
    """A duration as the plan has it: `PT1M2.5S`."""
    found, number = 0.0, ""
    for c in text.removeprefix("PT"):
        if c in "HMS":
            found, number = found + float(number) * {"H": 3600, "M": 60, "S": 1}[c], ""
        else:
            number += c
    return found


if __name__ == "__main__":
    sys.exit(main())
