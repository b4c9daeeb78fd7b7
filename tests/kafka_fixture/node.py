"""One broker (and controller) of a cluster: its folder, its configuration, its process."""

from __future__ import annotations

import base64
import json
import random
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import processes
from distribution import HERE

# The argument by which a broker is known among all processes; its folder follows.
MARK = "-Dflow.kafka.node="


@dataclass(frozen=True)
class Detour:
    """A second way to a broker, for somebody who stands in between: whoever comes by `port` is told that the broker is at
    `advertised`, where nobody listens yet."""

    port: int
    advertised: int


@dataclass(frozen=True)
class Node:
    """A place for one broker. Its process is looked up whenever it is asked for."""

    number: int
    port: int
    controller_port: int
    folder: Path
    detour: Detour | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "broker.log"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid(self) -> int | None:
        return processes.find(MARK).get(str(self.folder))

    def prepare(self, java: list[str], checkpoint: Path, cluster_id: str, voters: list[Node],
                properties: dict[str, str]) -> None:
        """Writes empty storage, the configuration, and the command that `start` runs, now and after a kill.

        `java` begins the command, `checkpoint` is what Kafka's own tool formats storage of this version with.
        """
        self.data.mkdir(parents=True)
        (self.data / checkpoint.name).write_bytes(checkpoint.read_bytes())
        (self.data / "meta.properties").write_text(
            f"version=1\ncluster.id={cluster_id}\nnode.id={self.number}\ndirectory.id={new_id()}\n")

        own = {"node.id": str(self.number),
               "listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{self.controller_port}",
               "advertised.listeners": f"PLAINTEXT://{self.address}",
               "controller.quorum.voters": ",".join(f"{v.number}@127.0.0.1:{v.controller_port}" for v in voters),
               "log.dirs": str(self.data)} | properties_by_size(len(voters)) | properties
        if self.detour:
            own["listeners"] += f",DETOUR://127.0.0.1:{self.detour.port}"
            own["advertised.listeners"] += f",DETOUR://127.0.0.1:{self.detour.advertised}"
        configuration = self.folder / "broker.properties"
        configuration.write_text((HERE / "broker.properties").read_text() + "\n"
                                 + "".join(f"{key}={value}\n" for key, value in own.items()))
        self._command.write_text(json.dumps([*java, MARK + str(self.folder), "kafka.Kafka", str(configuration)]))

    def start(self) -> subprocess.Popen[bytes]:
        return processes.spawn(json.loads(self._command.read_text()), self.log)

    def log_end(self, lines: int) -> list[str]:
        if not self.log.exists():
            return []
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - lines * 400))
            return file.read().decode(errors="replace").splitlines()[-lines:]

    @property
    def _command(self) -> Path:
        return self.folder / "command.json"


def properties_by_size(nodes: int) -> dict[str, str]:
    """Three copies, of which two must be in step, where there are brokers enough.

    A broker that was killed is missed, and let in again, only after its session. With a single broker nobody waits for
    the former, and every restart for the latter: there the session is short.
    """
    copies, in_step, session_ms = ("3", "2", "4000") if nodes >= 3 else ("1", "1", "1500")
    return {"broker.session.timeout.ms": session_ms,
            "default.replication.factor": copies,
            "min.insync.replicas": in_step,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_step,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": in_step}


def new_id() -> str:
    """A Kafka uuid. One that begins with a dash would be taken for an option by Kafka's tools."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


@contextmanager
def free_ports(count: int) -> Iterator[list[int]]:
    """Ports nobody listens on, kept from other starts of the fixture until the block ends.

    They lie below the range from which the system picks ports for outgoing connections: a client that knocks at a
    broker that is down could otherwise be given the broker's own port.
    """
    lowest_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    candidates = range(max(1024, lowest_outgoing - 16384), max(lowest_outgoing, 32768))
    with ExitStack() as held:
        ports: list[int] = []
        for port in random.sample(candidates, len(candidates)):
            if len(ports) == count:
                break
            taken = held.enter_context(socket.socket())
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                continue
            # From now on a broker, which asks for the same, may listen here; another start, which does not, may not.
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            ports.append(port)
        yield ports
