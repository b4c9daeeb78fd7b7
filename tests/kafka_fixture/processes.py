"""Processes that outlive the program which started them, known by a word of their command line.

No pid is written down to be trusted later: a pid may belong to somebody else by then, and a starter that is killed
half way has written none.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from pathlib import Path


class still_alive(Exception):
    """A process did not do in time what a signal asked of it."""


def spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Starts `command` in a session of its own, in the folder of `log`, to which all its output is appended."""
    with log.open("ab") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                cwd=log.parent, start_new_session=True)


def find(prefix: str) -> dict[str, int]:
    """Living processes with an argument that begins with `prefix`: the rest of that argument, and the pid."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        for argument in arguments:
            if argument.startswith(prefix.encode()):
                found[os.fsdecode(argument).removeprefix(prefix)] = int(entry.name)
    return found


def state(pid: int) -> str:
    """`running`, `paused` or `gone`."""
    try:
        letter = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"
    return {"T": "paused", "Z": "gone", "X": "gone"}.get(letter, "running")


def memory(pid: int) -> int:
    """Resident MB."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def kill(pids: list[int], limit: float = 10) -> None:
    """Ends processes by SIGKILL and returns when the last one is gone; `limit` in seconds."""
    handles = []
    try:
        for pid in pids:
            try:
                handles.append(os.pidfd_open(pid))
                signal.pidfd_send_signal(handles[-1], signal.SIGKILL)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + limit
        for handle in handles:
            waiting = select.poll()
            waiting.register(handle, select.POLLIN)
            if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise still_alive(f"a process among {pids} survived SIGKILL for {limit:g} s")
    finally:
        for handle in handles:
            os.close(handle)


def pause(pid: int, limit: float = 5) -> None:
    """SIGSTOP; returns when the process has stopped."""
    _signal_until(pid, signal.SIGSTOP, "paused", limit)


def resume(pid: int, limit: float = 5) -> None:
    """SIGCONT; returns when the process runs."""
    _signal_until(pid, signal.SIGCONT, "running", limit)


def _signal_until(pid: int, number: signal.Signals, wanted: str, limit: float) -> None:
    os.kill(pid, number)
    deadline = time.monotonic() + limit
    while state(pid) != wanted:
        if time.monotonic() > deadline:
            raise still_alive(f"process {pid} is {state(pid)} {limit:g} s after {number.name}, not {wanted}")
        time.sleep(0.005)
