"""Runs a command on a pseudo terminal of its own, in its own session, for tests.

Usage: run-on-pty.py COLUMNS ROWS COMMAND...
What the command writes goes to stdout, stdin goes to the command. The last line on stderr is
`exit CODE` or `signal NUMBER`, and before it `termios same|changed`: whether the command left the
terminal's modes as it found them. Where file descriptor 3 is open, a line `COLUMNS ROWS` on it
changes the size.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios


def main() -> None:
    columns, rows, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    try:
        os.fstat(3)
        has_sizes = True
    except OSError:
        has_sizes = False
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    before = termios.tcgetattr(follower)
    pid = os.fork()
    if pid == 0:
        if has_sizes:
            os.close(3)
        os.setsid()
        fcntl.ioctl(follower, termios.TIOCSCTTY, 0)
        for target in (0, 1, 2):
            os.dup2(follower, target)
        os.execvp(command[0], command)
    sys.stderr.write(f"pid {pid}\n")
    sys.stderr.flush()
    sources = [leader, 0, 3] if has_sizes else [leader, 0]
    status = None
    while True:
        # Asked before reading: what the command wrote last is then surely read after it has ended.
        had_ended = status is not None
        if not had_ended:
            done, code = os.waitpid(pid, os.WNOHANG)
            status = code if done else None
        ready, _, _ = select.select(sources, [], [], 0.05)
        if leader in ready:
            os.write(1, os.read(leader, 65536))
        elif had_ended:
            break
        if has_sizes and 3 in ready:
            line = os.read(3, 256).decode()
            if line:
                size = [int(part) for part in line.strip().split("\n")[-1].split()]
                fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
            else:
                sources.remove(3)
        if 0 in ready:
            data = os.read(0, 65536)
            if data:
                os.write(leader, data)
            else:
                sources.remove(0)
    after = termios.tcgetattr(follower)
    sys.stderr.write(f"termios {'same' if before == after else 'changed'}\n")
    ended = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"
    sys.stderr.write(ended + "\n")


main()
