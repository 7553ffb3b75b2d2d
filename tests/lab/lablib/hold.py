"""`lab hold`: a lab whose life is that of the process that started it.

    test ──stdin──> hold ──pipe──> _labd, PID 1 of the lab   its end is the end of every host
                         └─pipe──> _watch, outside, in its own session   clears away what is left: cgroups, LAB_DIR, the sysctl

Only `hold` has the pipe's writing end, so its death, by SIGKILL too, closes it.
"""
import os
import select
import signal
import subprocess
import sys

from . import cgroup, world


def hold(words):
    reading, writing = os.pipe()
    wake, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    caught = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda got, _frame: caught.append(got))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)

    watch = []
    world.start(reading, lambda: watch.append(subprocess.Popen(
        [world.LAB, "_watch"], stdin=reading, stdout=subprocess.DEVNULL, start_new_session=True, cwd="/", env=world.environment())))
    os.close(reading)
    up = subprocess.Popen([world.LAB, "up", *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=world.environment())
    code = None
    while code is None:
        ready = select.select([0, wake], [], [])[0]
        if wake in ready:
            os.read(wake, 4096)
        if caught:
            code = 128 + caught[0]
        elif 0 in ready and not os.read(0, 4096):
            code = 0
        elif up and up.poll() is not None:
            if up.returncode:
                code = 1
            else:
                up = None
                print("ready", flush=True)
        elif cgroup.labd() is None:
            print("lab: the lab has gone", file=sys.stderr)
            code = 1
    if up:
        up.kill()
        up.wait()
    os.close(writing)
    watch[0].wait()
    world.down()  # nothing to do, unless the watch was killed
    sys.exit(code)


def watch():
    """Waits for the pipe's end, then takes the lab down."""
    while os.read(0, 4096):
        pass
    world.down()
