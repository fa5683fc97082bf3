"""What a shell is to a program: the leader of a terminal's session. Run with ``python -I -S``.

``leader.py job|plain FD TTY COMMAND…``: opens TTY as its controlling terminal and starts the command;
with ``job`` in a process group of its own in the foreground, as a shell with job control, with
``plain`` in its own group, as a script does. On FD it writes what becomes of the command, a line each
(``stopped``, ``ended CODE``), and reads ``fg`` and ``bg``.
"""

import os
import signal
import sys


def main():
    manner, control, tty, *command = sys.argv[1:]
    control = int(control)
    is_job = manner == "job"
    fd = os.open(tty, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(fd, number)
    os.close(fd)
    if is_job:
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN if is_job else lambda *_: None)
    child = os.fork()
    if child == 0:
        if is_job:
            os.setpgid(0, 0)
            os.tcsetpgrp(0, os.getpid())
        for number in (signal.SIGINT, signal.SIGTTOU, signal.SIGTTIN, signal.SIGTSTP):
            signal.signal(number, signal.SIG_DFL)
        os.close(control)
        os.execvp(command[0], command)
    if is_job:
        try:
            os.setpgid(child, child)
            os.tcsetpgrp(0, child)
        except OSError:
            pass
    os.write(control, b"started %d\n" % child)
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            if not is_job:
                continue
            os.tcsetpgrp(0, os.getpgid(0))
            os.write(control, b"stopped\n")
            if os.read(control, 100) == b"fg\n":
                os.tcsetpgrp(0, child)
            os.killpg(child, signal.SIGCONT)
            continue
        break
    if is_job:
        os.tcsetpgrp(0, os.getpgid(0))
    os.write(control, b"ended %d\n" % os.waitstatus_to_exitcode(status))
    os.read(control, 100)  # the terminal lives as long as its session


main()
