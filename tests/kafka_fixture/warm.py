"""What makes a broker start fast: storage formatted once, and an archive of the classes that a start loads."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from distribution import Distribution, locked, scratch, unusable
from node import Node, free_ports, new_id

SMALL_JVM = ["-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xlog:disable",
             "-Xlog:all=error:stderr"]
FAST_JVM = ["-Xms1g", "-Xmx1g", "-XX:+UseSerialGC", "-Xlog:disable", "-Xlog:all=error:stderr"]
TRAINING_LIMIT = 60


def warm(distribution: Distribution) -> None:
    """Makes what is missing of storage and archive. Without an archive a start is slow, not wrong: that is only said."""
    with locked(distribution.folder / "lock"):
        if not checkpoint(distribution).exists():
            _format(distribution)
        if not archive(distribution).exists():
            try:
                _train(distribution)
            except (OSError, unusable) as problem:
                print(f"Kafka {distribution.version} starts without a class archive: {problem}", file=sys.stderr)


def checkpoint(distribution: Distribution) -> Path:
    """The one file of freshly formatted storage that is the same for every node of every cluster."""
    return distribution.folder / "storage" / "bootstrap.checkpoint"


def archive(distribution: Distribution) -> Path:
    """Where the class archive is for this Java and these jars; the JVM ignores one that was made for others."""
    java = Path(shutil.which("java") or "java").resolve()
    parts = [java, java.parent.parent / "lib" / "server" / "libjvm.so", *sorted(distribution.jars.glob("*.jar"))]
    marks = [f"{part}:{part.stat().st_mtime_ns}" for part in parts if part.exists()]
    return distribution.folder / f"classes-{hashlib.sha256(repr(marks).encode()).hexdigest()[:12]}.jsa"


def broker_java(distribution: Distribution, jvm: list[str]) -> list[str]:
    """The beginning of the command line of a broker."""
    shared = archive(distribution)
    return distribution.java(*jvm, *([f"-XX:SharedArchiveFile={shared}"] if shared.exists() else []))


def _format(distribution: Distribution) -> None:
    with scratch(distribution.folder) as folder:
        configuration = folder / "format.properties"
        configuration.write_text("process.roles=broker,controller\nnode.id=1\ncontroller.listener.names=CONTROLLER\n"
                                 "controller.quorum.voters=1@127.0.0.1:2\n"
                                 "listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2\n"
                                 f"log.dirs={folder}/storage\n")
        run = subprocess.run([*distribution.java(*SMALL_JVM), "kafka.tools.StorageTool", "format", "-t", new_id(),
                              "-c", str(configuration)],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if run.returncode != 0:
            raise unusable(f"Kafka {distribution.version} could not format storage:\n{run.stdout[-3000:]}")
        (folder / "storage").rename(checkpoint(distribution).parent)


def _train(distribution: Distribution) -> None:
    """Starts and stops a broker; what its JVM has loaded by then is the archive."""
    with scratch(distribution.folder) as folder, free_ports(2) as (port, controller_port):
        unfinished = folder / "classes.jsa"
        node = Node(1, port, controller_port, folder / "node")
        # Nobody guards this broker should we be killed; `timeout` hands our SIGTERM on to it.
        java = ["timeout", "--signal=KILL", str(2 * TRAINING_LIMIT),
                *distribution.java(*SMALL_JVM, f"-XX:ArchiveClassesAtExit={unfinished}")]
        node.prepare(java, checkpoint(distribution), new_id(), [node], {})
        broker = node.start()
        try:
            deadline = time.monotonic() + TRAINING_LIMIT
            while not any("Kafka Server started" in line for line in node.log_end(200)):
                if broker.poll() is not None or time.monotonic() > deadline:
                    raise unusable("a broker did not start:\n" + "\n".join(node.log_end(20)))
                time.sleep(0.1)
            broker.send_signal(signal.SIGTERM)
            broker.wait(TRAINING_LIMIT)
        except subprocess.TimeoutExpired as problem:
            raise unusable(f"a broker did not end within {TRAINING_LIMIT} s of SIGTERM") from problem
        finally:
            broker.kill()
            broker.wait()
        if not unfinished.exists():
            raise unusable("the JVM wrote none:\n" + "\n".join(node.log_end(5)))
        for old in distribution.folder.glob("classes-*.jsa"):
            # A broker that has it mapped keeps it.
            os.unlink(old)
        unfinished.rename(archive(distribution))
