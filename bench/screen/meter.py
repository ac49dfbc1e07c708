"""Runs a console on a pseudo terminal of its own and writes down, with times, all that it shows and all that is typed.

Usage: meter.py COLUMNS ROWS RECORDING SETTLE_SEC WATCH_SEC KEYS COMMAND...
KEYS is text whose characters are typed one by one, 100 to 160 ms apart, after settling and watching; `q` ends it.
The recording is a row of events: one byte of kind, 8 bytes of time (ns since start), 4 bytes of length, the data.
Kinds: `o` output, `k` a key, `c` CPU ticks of the process so far (as text; at the begin and the end of watching).
"""

import fcntl
import os
import pty
import random
import select
import signal
import struct
import sys
import termios
import time


class Meter:
    def __init__(self, columns: int, rows: int, recording: str, command: list[str]) -> None:
        self.out = open(recording, "wb")
        self.leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.start = time.monotonic_ns()
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(follower, termios.TIOCSCTTY, 0)
            for target in (0, 1, 2):
                os.dup2(follower, target)
            os.execvp(command[0], command)
        os.close(follower)

    def note(self, kind: bytes, data: bytes) -> None:
        self.out.write(kind + struct.pack("<QI", time.monotonic_ns() - self.start, len(data)) + data)

    def watch(self, seconds: float) -> bool:
        """Write down output for so long; False when the process has closed the terminal."""
        until = time.monotonic() + seconds
        while (rest := until - time.monotonic()) > 0:
            if not select.select([self.leader], [], [], rest)[0]:
                continue
            try:
                self.note(b"o", os.read(self.leader, 65536))
            except OSError:
                return False
        return True

    def cpu(self) -> None:
        """Fields 14 and 15 of proc_pid_stat(5): user and system time in clock ticks."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        self.note(b"c", str(int(fields[11]) + int(fields[12])).encode())

    def press(self, key: str) -> None:
        self.note(b"k", key.encode())
        os.write(self.leader, key.encode())

    def end(self) -> None:
        """Ask it to leave, wait for that, and end it by force when it does not."""
        self.press("q")
        self.watch(10)
        if os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            os.kill(self.pid, signal.SIGKILL)
        self.out.close()


def main() -> None:
    columns, rows, recording, settle, watch, keys = sys.argv[1:7]
    meter = Meter(int(columns), int(rows), recording, sys.argv[7:])
    meter.watch(float(settle))
    meter.cpu()
    meter.watch(float(watch))
    meter.cpu()
    meter.press("g")
    for key in keys:
        meter.watch(random.uniform(0.1, 0.16))
        meter.press(key)
    meter.watch(0.3)
    meter.end()


main()
