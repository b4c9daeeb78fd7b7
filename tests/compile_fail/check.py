"""Compiles a file that holds one mistake and looks at what the compiler says.

The file says what is expected of it: `// says: SENTENCE` somewhere, and `// here` at the end of the line whose author
made the mistake. What a user gets is one error of at most 14 lines that holds the sentence and points at that line.
"""

import re
import subprocess
import sys
from pathlib import Path

MOST_LINES = 14


def expectation(source: Path) -> tuple[str, int]:
    lines = source.read_text().splitlines()
    sentence = next(line.split("// says: ", 1)[1] for line in lines if "// says: " in line)
    line = next(number for number, line in enumerate(lines, 1) if line.endswith("// here"))
    return sentence, line


def complaints(output: str, source: Path) -> list[str]:
    sentence, line = expectation(source)
    found = []
    errors = re.findall(r"(?:error|fatal error): ", output)
    if len(errors) != 1:
        found.append(f"{len(errors)} errors instead of one")
    if len(output.splitlines()) > MOST_LINES:
        found.append(f"{len(output.splitlines())} lines, of which {MOST_LINES} are the most")
    if sentence not in re.sub(r"\s+", " ", output):
        found.append(f"the sentence is missing: {sentence}")
    if not re.search(rf"{re.escape(source.name)}:{line}:", output):
        found.append(f"line {line} is not pointed at")
    return found


def main() -> int:
    source, compiler = Path(sys.argv[1]), sys.argv[2:]
    ran = subprocess.run([*compiler, "-fsyntax-only", str(source)], capture_output=True, text=True, check=False)
    found = ["it compiles"] if ran.returncode == 0 else complaints(ran.stderr, source)
    for text in found:
        print(f"{source.name}: {text}")
    if found:
        print(ran.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
