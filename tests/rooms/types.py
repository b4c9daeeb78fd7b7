"""Reads every type that the library defines: no two of one name in one namespace. The linker takes such two for one,
whose functions then work on the members of the other."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

# Code is formatted: what is not indented stands in a namespace, and a namespace ends with a comment that names it, unless
# it holds one line.
SHORT = re.compile(r"^namespace [\w:]+ \{\n.*\n\}$", re.MULTILINE)
OPENS = re.compile(r"^(?:inline )?namespace( [\w:]+)? \{$")
CLOSES = re.compile(r"^\}  // (?:inline )?namespace")
DEFINES = re.compile(r"^(?:struct|class|enum class|enum|union) (\w+)(?: final)?(?: : [^;]+| *)\{")


def types(file: Path) -> Iterator[str]:
    """Those that another file could see or define, with their namespaces."""
    within: list[str] = []
    template = False
    for line in SHORT.sub("", file.read_text(encoding="utf-8")).splitlines():
        if opened := OPENS.match(line):
            within.append((opened[1] or "").strip())
        elif CLOSES.match(line):
            within.pop()
        elif (found := DEFINES.match(line)) and not template and all(within):
            yield "::".join([*within, found[1]])
        template = line.startswith(("template <", "template<"))
    if within:
        raise SystemExit(f"{file}: a namespace has no comment at its end")


def main(root: Path) -> int:
    defined: dict[str, list[Path]] = defaultdict(list)
    for room in ("include", "operators", "state", "src"):
        for file in sorted((root / room).rglob("*.[hc]pp")):
            for name in types(file):
                defined[name].append(file.relative_to(root))
    twice = {name: files for name, files in defined.items() if len(files) > 1}
    for name, files in twice.items():
        print(f"{name}: {', '.join(map(str, files))}")
    print(f"{len(defined)} types, {len(twice)} of them defined twice")
    return 1 if twice or len(defined) < 100 else 0


sys.exit(main(Path(sys.argv[1])))
