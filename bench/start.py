#!/usr/bin/env python3
"""How soon the replicator's demo is there, and what it weighs when it has nothing to do.

    start.py                                         of the release build
    start.py --replicator build/dev/examples/replicator/replicator --rounds 9

Start is from the call to the first line on the terminal; memory is the resident size of a demo that makes one event per
second, five seconds later. Figures are medians.
"""

from __future__ import annotations

import argparse
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

BUDGET = {"start ms": 50.0, "idle RSS MB": 30.0}


def arguments() -> argparse.Namespace:
    built = Path(__file__).parent.parent / "build" / "release" / "examples" / "replicator" / "replicator"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicator", type=Path, default=built, help="the program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--settle", type=float, default=5, metavar="SECONDS", help="until the memory is looked at")
    return parser.parse_args()


def resident_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} has no memory of its own")


def round_of(chosen: argparse.Namespace) -> tuple[float, float]:
    terminal, its_side = os.openpty()
    before = time.monotonic()
    demo = subprocess.Popen([chosen.replicator, "demo", "--rate", "1", "--seconds", "600"], stdout=its_side)
    os.close(its_side)
    with demo, open(terminal, "rb", buffering=0) as screen:
        try:
            screen.readline()
            started = time.monotonic() - before
            looked_at = time.monotonic() + chosen.settle
            while (left := looked_at - time.monotonic()) > 0:
                if select.select([screen], [], [], left)[0]:
                    screen.read(4096)  # a full screen would hold the demo up
            return started * 1000, resident_megabytes(demo.pid)
        finally:
            demo.kill()


def main() -> int:
    chosen = arguments()
    try:
        rounds = [round_of(chosen) for _ in range(chosen.rounds)]
    except (OSError, ValueError) as problem:
        print(f"start.py: {problem}", file=sys.stderr)
        return 1
    print("| | median | at most |\n|---|---|---|")
    for (what, most), each in zip(BUDGET.items(), zip(*rounds)):
        print(f"| {what} | {median(each):.1f} | {most:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
