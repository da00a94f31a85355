#!/usr/bin/python3
"""Holds all threads of a process but the first, as a deadlock would, until the process ends. Prints how many.

usage: hold_threads.py PID
"""

import ctypes
import os
import sys

PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000


def main():
    pid = int(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    others = [int(name) for name in os.listdir(f"/proc/{pid}/task") if int(name) != pid]
    for thread in others:
        for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
            if libc.ptrace(request, thread, None, None) != 0:
                sys.exit(f"ptrace of thread {thread}: {os.strerror(ctypes.get_errno())}")
    print(len(others), flush=True)
    # A traced thread that was killed stays until its tracer has seen it.
    while True:
        try:
            os.waitpid(-1, WALL)
        except ChildProcessError:
            return


if __name__ == "__main__":
    main()
