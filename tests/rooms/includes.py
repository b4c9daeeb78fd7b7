"""Reads every include of the library: public headers need the standard library and three small ones beside it, and no
file leaves its room by `..`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]+[>"])', re.MULTILINE)
BESIDE_THE_STANDARD = {"<tl/expected.hpp>", "<spdlog/fwd.h>", "<range/v3/range_fwd.hpp>"}


def includes(folder: Path) -> Iterator[tuple[Path, str]]:
    for file in sorted(folder.rglob("*.[hc]pp")):
        for found in INCLUDE.finditer(file.read_text(encoding="utf-8")):
            yield file, found[1]


def is_public(include: str) -> bool:
    standard = re.fullmatch(r"<[a-z_0-9]+>", include)
    return bool(standard) or include.startswith("<flow/") or include in BESIDE_THE_STANDARD


def problems(root: Path) -> Iterator[str]:
    for public in ("include/flow", "operators/flow"):
        for file, include in includes(root / public):
            if not is_public(include):
                yield f"{file.relative_to(root)}: a public header includes {include}"
    for room in ("include", "operators", "state", "src"):
        for file, include in includes(root / room):
            if ".." in include:
                yield f"{file.relative_to(root)}: {include} leaves its room"


found = list(problems(Path(sys.argv[1])))
print("\n".join(found) or "every include is where it belongs")
sys.exit(1 if found else 0)
