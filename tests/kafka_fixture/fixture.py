"""Clusters in a folder: started together, killed and restarted singly, stopped together.

The folder holds `clusters.env` and `clusters.json` exactly while its clusters can be used, and a folder per broker,
whose log outlives the clusters.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import processes
from distribution import Distribution, locked, versions
from node import MARK, Detour, Node, free_ports, new_id
from warm import FAST_JVM, SMALL_JVM, broker_java, checkpoint, warm

# The argument by which the guardian of a folder is known.
GUARD_MARK = "--guarded="
START_LIMIT = 120
RESTART_LIMIT = 120


class refused(Exception):
    """What was asked for cannot be done; the text says why and what to do."""


@dataclass(frozen=True)
class Specification:
    """What the user asks for: `trio:4.1x3` is three brokers of Kafka 4.1 under the name trio."""

    name: str
    version: str
    nodes: int

    @staticmethod
    def parse(text: str) -> Specification:
        match = re.fullmatch(r"([a-z][a-z0-9_]*):(\d+\.\d+)(?:x([1-9]))?", text)
        if not match:
            raise refused(f"'{text}' is not a cluster: write NAME:VERSION or NAME:VERSIONxBROKERS, as in trio:4.1x3")
        name, version, nodes = match.groups()
        if version not in versions():
            raise refused(f"cluster {name}: Kafka {version} is not one of {', '.join(versions())}")
        return Specification(name, version, int(nodes or 1))


@dataclass(frozen=True)
class Cluster:
    name: str
    version: str
    nodes: list[Node]

    @property
    def bootstrap(self) -> str:
        return ",".join(node.address for node in self.nodes)

    def chosen(self, number: int | None) -> list[Node]:
        """One node, or all."""
        chosen = [node for node in self.nodes if number in (None, node.number)]
        if not chosen:
            raise refused(f"cluster {self.name} has brokers 1 to {len(self.nodes)}, not {number}")
        return chosen


@dataclass(frozen=True)
class Options:
    """How clusters are started. `settings` are broker properties by cluster."""

    probe: str  # a path, or a name to be looked for
    max_minutes: float = 60
    fast: bool = False
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    detours: frozenset[str] = frozenset()  # the clusters whose brokers have one


class Fixture:
    """The clusters of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def start(self, wanted: list[Specification], options: Options) -> None:
        """Starts all clusters afresh, returns when each is ready; if one is not, none is left."""
        names = [one.name for one in wanted]
        if len(set(names)) < len(names):
            raise refused(f"a cluster is named twice: {', '.join(names)}")
        for flag, named in (("--set", options.settings.keys()), ("--detour", options.detours)):
            if unknown := named - set(names):
                raise refused(f"{flag} names a cluster that is not started: {', '.join(sorted(unknown))}")
        probe = shutil.which(options.probe)
        if not probe:
            raise refused(f"{options.probe} is not there: build the target kafka_ready, name it with --probe")
        obtain({one.version for one in wanted})
        self._clear()
        self._file(".kafka_fixture").write_text(str(Path(probe).absolute()))
        self._guard(options.max_minutes)
        with free_ports(sum(one.nodes * (4 if one.name in options.detours else 2) for one in wanted)) as ports:
            clusters = [self._place(one, ports, one.name in options.detours) for one in wanted]
            try:
                for cluster in clusters:
                    prepare(cluster, options)
                brokers = [broker for cluster in clusters for broker in start_all(cluster.name, cluster.nodes)]
                self._await_ready(clusters, START_LIMIT, brokers)
            except BaseException:
                for cluster in clusters:
                    print_log(cluster.name, cluster.nodes, 40)
                self.stop()
                raise
        self._publish(clusters)

    def stop(self) -> None:
        """Kills everything that was started for the folder, and keeps the logs. Nothing to stop is no error."""
        for name in ("clusters.env", "clusters.json"):
            self._file(name).unlink(missing_ok=True)
        guardians = processes.find(GUARD_MARK)
        brokers = processes.find(MARK)
        processes.kill([pid for folder, pid in guardians.items()
                        if folder == str(self.folder) and pid != os.getpid()]
                       + [pid for folder, pid in brokers.items() if self.folder in Path(folder).parents])
        for command in self.folder.glob("*/*/command.json"):
            shutil.rmtree(command.with_name("data"), ignore_errors=True)

    def kill(self, name: str, number: int | None) -> None:
        processes.kill([pid for node in self.cluster(name).chosen(number) if (pid := node.pid)])

    def restart(self, name: str, number: int | None) -> None:
        """Kills what lives, starts it on the same folder and port, returns when the whole cluster is ready."""
        cluster = self.cluster(name)
        self.kill(name, number)
        brokers = start_all(name, cluster.chosen(number))
        try:
            self._await_ready([cluster], RESTART_LIMIT, brokers)
        except BaseException:
            print_log(name, cluster.chosen(number), 40)
            raise
        self._publish(list(self.clusters.values()))

    def pause(self, name: str, number: int | None) -> None:
        for node in self.cluster(name).chosen(number):
            processes.pause(self._living(name, node))

    def resume(self, name: str, number: int | None) -> None:
        for node in self.cluster(name).chosen(number):
            processes.resume(self._living(name, node))

    @cached_property
    def clusters(self) -> dict[str, Cluster]:
        """What runs, by name."""
        try:
            stored = json.loads(self._file("clusters.json").read_text())
        except FileNotFoundError:
            raise refused(f"no clusters run in {self.folder}: kafka.py start --dir {self.folder} starts them") from None
        return {name: Cluster(name, one["version"],
                              [Node(broker["number"], broker["port"], broker["controller_port"],
                                    self.folder / name / str(broker["number"]),
                                    Detour(**broker["detour"]) if broker["detour"] else None)
                               for broker in one["brokers"]])
                for name, one in stored.items()}

    def cluster(self, name: str) -> Cluster:
        if name not in self.clusters:
            raise refused(f"no cluster {name} in {self.folder}, only {', '.join(self.clusters)}")
        return self.clusters[name]

    def _file(self, name: str) -> Path:
        return self.folder / name

    def _living(self, name: str, node: Node) -> int:
        if (pid := node.pid) is None:
            raise refused(f"broker {node.number} of {name} does not run")
        return pid

    def _clear(self) -> None:
        """Leaves nothing of an earlier start; a folder that holds anything else is left alone."""
        if "," in str(self.folder):
            raise refused(f"{self.folder} has a comma, at which Kafka would cut it: choose another --dir")
        if self.folder.exists() and any(self.folder.iterdir()) and not self._file(".kafka_fixture").exists():
            raise refused(f"{self.folder} is in use for something else: --dir wants a folder of its own")
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def _guard(self, minutes: float) -> None:
        """Nobody is left to stop the clusters when a test run dies: this process does, in the end."""
        program = Path(__file__).with_name("kafka.py")
        processes.spawn([sys.executable, str(program), "guard", f"--max-minutes={minutes:g}",
                         GUARD_MARK + str(self.folder)], self._file("guard.log"))

    def _place(self, wanted: Specification, ports: list[int], has_detours: bool) -> Cluster:
        return Cluster(wanted.name, wanted.version,
                       [Node(number, ports.pop(), ports.pop(), self.folder / wanted.name / str(number),
                             Detour(ports.pop(), ports.pop()) if has_detours else None)
                        for number in range(1, wanted.nodes + 1)])

    def _await_ready(self, clusters: list[Cluster], limit: float, brokers: list[Started]) -> None:
        """Returns when a probe of each cluster has produced and consumed, raises as soon as a broker has ended."""
        probe = self._file(".kafka_fixture").read_text()
        # Its cluster may not have noticed yet that a broker was killed, and then nobody misses it.
        for broker in brokers:
            await_connections(broker, limit)
        # A process that was started a moment ago may not have its command line yet, by which it is known.
        started = {broker.node for broker in brokers}
        running = {cluster.name: subprocess.Popen(
            [probe, cluster.bootstrap, str(sum(node in started or is_running(node) for node in cluster.nodes)),
             str(limit)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for cluster in clusters}
        try:
            while running:
                for broker in brokers:
                    broker.demand_that_it_runs()
                for name, process in list(running.items()):
                    if process.poll() is None:
                        continue
                    del running[name]
                    said = process.communicate()[0].strip()
                    if process.returncode != 0:
                        raise refused(f"cluster {name} is not ready: {said}")
                time.sleep(0.02)
        finally:
            for process in running.values():
                process.kill()
                process.communicate()

    def _publish(self, clusters: list[Cluster]) -> None:
        described = {cluster.name: {
            "version": cluster.version,
            "bootstrap": cluster.bootstrap,
            "brokers": [{"number": node.number, "port": node.port, "controller_port": node.controller_port,
                         "pid": node.pid, "log": str(node.log),
                         "detour": asdict(node.detour) if node.detour else None} for node in cluster.nodes],
        } for cluster in clusters}
        with locked(self._file("lock")):
            write_whole(self._file("clusters.env"), "".join(f"FLOW_KAFKA_{cluster.name.upper()}={cluster.bootstrap}\n"
                                                            for cluster in clusters))
            write_whole(self._file("clusters.json"), json.dumps(described, indent=2) + "\n")


def obtain(wanted: set[str]) -> None:
    """Makes the cache whole for these versions, side by side."""
    if not shutil.which("java"):
        raise refused("Kafka needs Java 17, which is not installed: apt-get install openjdk-17-jre-headless")

    def one(version: str) -> None:
        distribution = Distribution(version)
        distribution.fetch()
        warm(distribution)

    with ThreadPoolExecutor() as pool:
        list(pool.map(one, sorted(wanted)))


@dataclass(frozen=True)
class Started:
    """A broker that this program has started, and that may have ended since."""

    cluster: str
    node: Node
    process: subprocess.Popen[bytes]

    def demand_that_it_runs(self) -> None:
        if self.process.poll() is not None:
            raise refused(f"broker {self.node.number} of {self.cluster} has ended; its log is above")


def await_connections(broker: Started, limit: float) -> None:
    deadline = time.monotonic() + limit
    while True:
        broker.demand_that_it_runs()
        try:
            socket.create_connection(("127.0.0.1", broker.node.port), 1).close()
            return
        except OSError as problem:
            if time.monotonic() > deadline:
                raise refused(f"broker {broker.node.number} of {broker.cluster} takes no connections: {problem}")
        time.sleep(0.05)


def start_all(cluster: str, nodes: list[Node]) -> list[Started]:
    return [Started(cluster, node, node.start()) for node in nodes]


def is_running(node: Node) -> bool:
    pid = node.pid
    return pid is not None and processes.state(pid) == "running"


def prepare(cluster: Cluster, options: Options) -> None:
    distribution = Distribution(cluster.version)
    java = broker_java(distribution, FAST_JVM if options.fast else SMALL_JVM)
    cluster_id = new_id()
    for node in cluster.nodes:
        node.prepare(java, checkpoint(distribution), cluster_id, cluster.nodes, options.settings.get(cluster.name, {}))


def print_log(name: str, nodes: list[Node], lines: int) -> None:
    for node in nodes:
        print(f"--- {name}, broker {node.number}: the end of {node.log}")
        print("\n".join(node.log_end(lines)), flush=True)


def write_whole(path: Path, text: str) -> None:
    """A reader sees the old text or the new, never a part."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text)
    unfinished.rename(path)
