#!/usr/bin/env python3
"""What a program pays the compiler for flow: the front door alone, and a pipeline of ten operators, at -O0.

    compile.py                                       both, only checked and compiled
    compile.py --compiler clang++ --rounds 9

Needs no build. Figures are medians, and rounds go through all that is measured by turns.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
SOURCES = {"<flow/flow.hpp>": ("header.cpp", 1.0), "ten operators": ("ten_operators.cpp", 3.0)}
WAYS = {"checked": ["-fsyntax-only"], "compiled": ["-c", "-o", "/dev/null"]}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def seconds_for(compiler: str, source: str, way: list[str]) -> float:
    before = time.monotonic()
    subprocess.run([compiler, "-std=c++20", "-O0", f"-I{ROOT}/include", f"-I{ROOT}/operators", *way,
                    ROOT / "bench" / "compile" / source], check=True)
    return time.monotonic() - before


def main() -> int:
    chosen = arguments()
    taken: dict[tuple[str, str], list[float]] = {(what, how): [] for what in SOURCES for how in WAYS}
    try:
        for _ in range(chosen.rounds):
            for what, how in taken:
                taken[what, how].append(seconds_for(chosen.compiler, SOURCES[what][0], WAYS[how]))
    except subprocess.CalledProcessError as problem:
        print(f"compile.py: {problem}", file=sys.stderr)
        return 1
    print(f"| s | {' | '.join(WAYS)} | at most |\n|---|{'---|' * len(WAYS)}---|")
    for what, (_, most) in SOURCES.items():
        print(f"| {what} | {' | '.join(f'{median(taken[what, how]):.2f}' for how in WAYS)} | {most:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
