"""Checks that what a document shows is true.

    ```cpp program ARGUMENT ...     a whole program: compiled, and run with the arguments
    ```cpp body                     statements: compiled inside of `main`, and run
    ```cpp declarations             compiled at namespace scope
    ```yaml replicator              a configuration that `replicator lint` finds nothing wrong with
    ```cmake                        stands in tests/install/consumer, which is built
    ```sh                           a script that can be parsed, of programs and verbs that exist
    ``` or ```text                  for the eye

Relative links lead to files. Bodies and declarations have the usual headers above them; the documents do not repeat
these.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
USUAL = """\
#include <cassert>
#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <flow/app.hpp>
#include <flow/dead_letters.hpp>
#include <flow/flow.hpp>
#include <flow/json.hpp>
#include <flow/main.hpp>
#include <flow/memory_clusters.hpp>
#include <flow/rules.hpp>
#include <flow/sightings.hpp>
#include <flow/testing.hpp>
#include <flow/testing/drive.hpp>
#include <flow/verify.hpp>

using namespace std::chrono_literals;
"""


class wrong(Exception):
    pass


@dataclass
class snippet:
    line: int
    kind: str
    words: list[str]
    text: str


def snippets(document: str) -> Iterator[snippet]:
    for found in FENCE.finditer(document):
        words = found[1].split() or ["text"]
        yield snippet(document.count("\n", 0, found.start()) + 1, words[0], words[1:], found[2])


def run(command: list[str], where: Path, limit: int = 120) -> None:
    done = subprocess.run(command, cwd=where, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=limit, check=False)
    if done.returncode != 0:
        raise wrong(f"{shlex.join(command)}: exit {done.returncode}\n{done.stdout}")


class checker:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.work: Path = options.work
        self.work.mkdir(parents=True, exist_ok=True)

    def check(self, what: snippet) -> None:
        kinds = {"cpp": self.cpp, "yaml": self.yaml, "cmake": self.cmake, "sh": self.sh, "text": lambda _: None}
        if what.kind not in kinds:
            raise wrong(f"nobody knows how to check a block of {what.kind}")
        kinds[what.kind](what)

    def cpp(self, what: snippet) -> None:
        mark = what.words[0] if what.words else ""
        forms = {"program": "{}", "body": USUAL + "int main() {{\n{}}}\n", "declarations": USUAL + "{}\nint main() {{}}\n"}
        if mark not in forms:
            raise wrong(f"a block of cpp is marked with one of {', '.join(forms)}")
        source, program = self.work / f"line_{what.line}.cpp", self.work / f"line_{what.line}"
        source.write_text(forms[mark].format(what.text), encoding="utf-8")
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "flow"], stdout=subprocess.PIPE, text=True, check=True)
        run([self.options.compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", str(source), "-o", str(program),
             *shlex.split(flags.stdout), "-lgtest"], self.work)
        run([str(program), *what.words[1:]], self.work)

    def yaml(self, what: snippet) -> None:
        if what.words != ["replicator"]:
            raise wrong("a block of yaml is marked with the program that reads it: replicator")
        file = self.work / f"line_{what.line}.yaml"
        file.write_text(what.text, encoding="utf-8")
        run([str(self.options.replicator), "lint", "--config", str(file)], self.work)

    def cmake(self, what: snippet) -> None:
        built = (self.options.root / "tests/install/consumer/CMakeLists.txt").read_text(encoding="utf-8")
        missing = [line for line in what.text.splitlines() if line and line not in built]
        if missing:
            raise wrong("not what tests/install builds: " + missing[0])

    def sh(self, what: snippet) -> None:
        run(["sh", "-n", "-c", what.text], self.work)
        for line in what.text.splitlines():
            words = shlex.split(line, comments=True)
            if not words:
                continue
            if words[0].startswith("scripts/") and not (self.options.root / words[0]).is_file():
                raise wrong(f"there is no {words[0]}")
            if words[0] == "replicator":
                run([str(self.options.replicator), words[1], "--help"], self.work)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("document", type=Path)
    for name in ("--root", "--work", "--replicator"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--compiler", required=True)
    options = parser.parse_args()

    text = options.document.read_text(encoding="utf-8")
    found: list[str] = []
    for target in LINK.findall(text):
        if "://" not in target and not (options.document.parent / target).exists():
            found.append(f"{options.document}: the link to {target} leads nowhere")
    check = checker(options)
    for each in snippets(text):
        try:
            check.check(each)
        except (wrong, subprocess.TimeoutExpired) as problem:
            found.append(f"{options.document}:{each.line}: {problem}")
    print("\n".join(found))
    return 1 if found else 0


sys.exit(main())
