"""The jars of one Kafka version: fetched once, kept outside the tree, checked against the sums in the repository."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
FETCH_ATTEMPTS = 3


class unusable(Exception):
    """The jars cannot be had, or are not the ones that the repository names."""


def cache() -> Path:
    """The folder that holds one folder per version."""
    if own := os.environ.get("FLOW_KAFKA_CACHE"):
        return Path(own).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flow" / "kafka"


def versions() -> list[str]:
    """The versions that have sums in the repository, e.g. `3.9`."""
    return sorted(path.name.removeprefix("SHA256SUMS-") for path in HERE.glob("SHA256SUMS-*"))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone among all processes and threads that ask for the same path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A folder to make something in, beside the place that it is renamed to when it is whole.

    Only for whoever holds the lock of `parent`: what earlier ones left when they were killed is swept up.
    """
    for left in parent.glob(".unfinished-*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Distribution:
    """One version of Kafka in the cache. `fetch` makes `jars` usable; everything else derives from it."""

    version: str

    @property
    def folder(self) -> Path:
        return cache() / self.version

    @property
    def jars(self) -> Path:
        return self.folder / "jars"

    def java(self, *options: str) -> list[str]:
        """The beginning of a command line that runs a class of this version; logs go to standard output."""
        log4j = HERE / f"log4j-{self.version}.properties"
        naming = f"-Dlog4j.configuration=file:{log4j}" if self.version.startswith("3.") \
            else f"-Dlog4j2.configurationFile={log4j}"
        return ["java", *options, naming, "-cp", f"{self.jars}/*"]

    def fetch(self) -> None:
        """Downloads the jars unless the cache has exactly the right ones."""
        with locked(self.folder / "lock"):
            if not self._faults(self.jars):
                return
            with scratch(self.folder) as folder:
                self._download(folder / "jars")
                if faults := self._faults(folder / "jars"):
                    raise unusable(f"Kafka {self.version} from Maven differs from SHA256SUMS-{self.version}: "
                                   + ", ".join(faults))
                shutil.rmtree(self.folder / "jars", ignore_errors=True)
                (folder / "jars").rename(self.jars)

    def _download(self, target: Path) -> None:
        if not shutil.which("mvn"):
            raise unusable("Kafka is fetched by Maven, which is not installed: apt-get install maven")
        command = ["mvn", "--quiet", "--batch-mode", "--file", str(HERE / "pom.xml"), "--activate-profiles",
                   self.version, "dependency:copy-dependencies", "-DincludeScope=runtime",
                   f"-DoutputDirectory={target}"]
        for attempt in range(1, FETCH_ATTEMPTS + 1):
            # Maven's local repository is not made for two writers.
            with locked(cache() / "maven.lock"):
                run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if run.returncode == 0:
                return
            if attempt < FETCH_ATTEMPTS:
                time.sleep(3**attempt)
        raise unusable(f"Kafka {self.version} could not be fetched by Maven in {FETCH_ATTEMPTS} attempts:\n"
                       + run.stdout[-3000:])

    def _faults(self, jars: Path) -> list[str]:
        """One short phrase for each jar that is missing, unknown or changed."""
        wanted = {}
        for line in (HERE / f"SHA256SUMS-{self.version}").read_text().splitlines():
            digest, name = line.split()
            wanted[name] = digest
        found = {}
        for path in jars.glob("*"):
            with path.open("rb") as file:
                found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        return [f"{name} missing" for name in sorted(wanted.keys() - found.keys())] \
            + [f"{name} unknown" for name in sorted(found.keys() - wanted.keys())] \
            + [f"{name} changed" for name in sorted(wanted.keys() & found.keys()) if wanted[name] != found[name]]
