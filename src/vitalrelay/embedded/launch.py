"""
Become a server: drop root's rights, die with the parent, exec.

A script of its own between fork and exec, since Popen's preexec_fn is unsafe beside threads. The
order matters: a change of account clears the parent-death signal.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def become(parent: int, uid: int, gid: int, last_signal: int, command: list[str]) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would pass that on
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    drop_root(uid, gid)
    die_with(parent, last_signal)
    os.execv(command[0], command)  # noqa: S606  no shell is the point


def drop_root(uid: int, gid: int) -> None:
    if os.geteuid() == uid:
        return
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def die_with(parent: int, last_signal: int) -> None:
    """Have the kernel send us the signal when the parent dies. Linux only; elsewhere nothing."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, last_signal)
    if os.getppid() != parent:
        sys.exit("the parent died before its server began")


if __name__ == "__main__":
    parent, uid, gid, last_signal = map(int, sys.argv[1:5])
    become(parent, uid, gid, last_signal, sys.argv[5:])
