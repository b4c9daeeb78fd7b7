#!/usr/bin/env python3
"""Real Apache Kafka for tests, demos and benchmarks.

    kafka.py start --dir /tmp/k --clusters home:3.9,trio:4.1x3 --probe build/dev/tests/kafka_fixture/kafka_ready
    . /tmp/k/clusters.env; echo $FLOW_KAFKA_HOME
    kafka.py stop --dir /tmp/k

Needs Java 17, and Maven once. Says what went wrong in one sentence and exits 1.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

import processes
from distribution import unusable, versions
from fixture import GUARD_MARK, Fixture, Options, Specification, obtain, print_log, refused


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="kafka.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)

    def verb(name: str, help: str, *, cluster: bool = False, needs_cluster: bool = True) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=help)
        made.add_argument("--dir", type=Path, required=True, help="the folder of the clusters")
        if cluster:
            made.add_argument("name", nargs=None if needs_cluster else "?", help="a cluster")
            made.add_argument("--broker", type=int, metavar="N", help="one broker of the cluster; all by default")
        return made

    verbs.add_parser("fetch", help="fill the cache, start nothing")
    start = verb("start", "start clusters afresh; return when a produce and a consume work on each")
    start.add_argument("--clusters", required=True, metavar="NAME:VERSION[xBROKERS],...")
    start.add_argument("--probe", default="kafka_ready", help="the program kafka_ready")
    start.add_argument("--max-minutes", type=float, default=60, metavar="M", help="when to kill what nobody stopped")
    start.add_argument("--fast", action="store_true", help="a full JIT and 1 GB each: for benchmarks")
    start.add_argument("--set", action="append", default=[], metavar="NAME:KEY=VALUE", help="a broker property")
    start.add_argument("--detour", default=[], type=lambda text: text.split(","), metavar="NAME,...",
                       help="clusters that can be reached in a second way too, by ports that clusters.json tells: proxy.py")
    verb("stop", "kill everything in the folder, keep the logs")
    verb("status", "say what runs")
    verb("kill", "kill -9", cluster=True)
    verb("restart", "start again on the same storage and ports; return when ready", cluster=True)
    verb("pause", "SIGSTOP", cluster=True)
    verb("resume", "SIGCONT", cluster=True)
    verb("log", "print the end of the logs", cluster=True, needs_cluster=False) \
        .add_argument("--tail", type=int, default=60, metavar="LINES")
    guard = verbs.add_parser("guard")
    guard.add_argument("--max-minutes", type=float, required=True)
    guard.add_argument(GUARD_MARK.rstrip("="), dest="dir", type=Path, required=True)
    return parser.parse_args()


def settings(texts: list[str]) -> dict[str, dict[str, str]]:
    """`home:log.segment.bytes=1048576` and so on, by cluster."""
    by_cluster: dict[str, dict[str, str]] = {}
    for text in texts:
        name, colon, property = text.partition(":")
        key, equals, value = property.partition("=")
        if not colon or not equals:
            raise refused(f"'{text}' is not a setting: write NAME:KEY=VALUE")
        by_cluster.setdefault(name, {})[key] = value
    return by_cluster


def print_status(fixture: Fixture) -> None:
    for cluster in fixture.clusters.values():
        for node in cluster.nodes:
            pid = node.pid
            process = f"{processes.state(pid)}, pid {pid}, {processes.memory(pid)} MB" if pid else "gone"
            print(f"{cluster.name:<10} {node.number}  Kafka {cluster.version}  {node.address}  {process}")


def run(chosen: argparse.Namespace) -> None:
    if chosen.verb == "fetch":
        return obtain(set(versions()))
    fixture = Fixture(chosen.dir)
    match chosen.verb:
        case "start":
            fixture.start([Specification.parse(text) for text in chosen.clusters.split(",")],
                          Options(chosen.probe, chosen.max_minutes, chosen.fast, settings(chosen.set),
                                  frozenset(chosen.detour)))
            print_status(fixture)
        case "stop":
            fixture.stop()
        case "status":
            print_status(fixture)
        case "log":
            for cluster in [fixture.cluster(chosen.name)] if chosen.name else fixture.clusters.values():
                print_log(cluster.name, cluster.chosen(chosen.broker), chosen.tail)
        case "guard":
            time.sleep(chosen.max_minutes * 60)
            fixture.stop()
        case "kill":
            fixture.kill(chosen.name, chosen.broker)
        case "restart":
            fixture.restart(chosen.name, chosen.broker)
        case "pause":
            fixture.pause(chosen.name, chosen.broker)
        case "resume":
            fixture.resume(chosen.name, chosen.broker)


def main() -> int:
    # An interrupted start cleans up as a failed one does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        run(arguments())
    except (refused, unusable, processes.still_alive) as problem:
        print(f"kafka.py: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
