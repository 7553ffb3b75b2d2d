"""What can go wrong, on demand."""
import ctypes
import os

from . import cgroup


def enter_net():
    """Moves this process into the controller's network."""
    with open(f"/proc/{cgroup.need_labd()}/ns/net") as f:
        if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), 0):
            raise OSError(ctypes.get_errno(), "setns")
