#!/usr/bin/env python3
"""flow beside the raw loop: the same work, the same clusters, by turns.

    tests/kafka_fixture/kafka.py start --fast --dir /tmp/k --clusters home:4.1,tokyo:4.1,oregon:4.1,dublin:4.1 --probe ...
    bench.py --kafka-dir /tmp/k                      drain a full topic: CPU-seconds per million records, rate, memory
    bench.py --kafka-dir /tmp/k --filter on          of which half are filtered out
    bench.py --kafka-dir /tmp/k --targets 1,3        and what each further target costs
    bench.py --kafka-dir /tmp/k --latency            a steady load: p50, p99, CPU
    bench.py --kafka-dir /tmp/k --latency --far target     with a distance between the program and its targets; or home
    bench.py --kafka-dir /tmp/k --far target --partitions 1

A distance takes clusters that were started with --detour home,tokyo,oregon,dublin. What loads and measures has none.

Rounds alternate between the programs, and figures are medians; the ratio is the median of the ratios within each round.
Only ratios mean anything on another machine. Each program takes the flags of raw_loop and prints its line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

sys.path.append(str(Path(__file__).parent.parent / "tests" / "kafka_fixture"))
from proxy import Proxy

Figures = dict[str, float]

COLUMNS = {False: {"cpu_s_per_million": "cpu-s/M", "rate": "records/s", "max_rss_mb": "RSS MB", "wall_s": "wall s"},
           True: {"p50_ms": "p50 ms", "p99_ms": "p99 ms", "max_ms": "max ms", "cpu_s_per_million": "cpu-s/M",
                  "max_rss_mb": "RSS MB"}}


def arguments() -> argparse.Namespace:
    build = Path(__file__).parent.parent / "build" / "release" / "bench"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka-dir", type=Path, required=True, help="the folder of the running clusters")
    parser.add_argument("--home", default="home", help="the cluster to read")
    parser.add_argument("--to", default="tokyo,oregon,dublin", help="the clusters to write, in the order of use")
    parser.add_argument("--build", type=Path, default=build, help="the folder of the programs")
    parser.add_argument("--program", action="append", metavar="NAME=COMMAND",
                        help="what to run by turns; the ratios are to the first (raw=BUILD/raw_loop, flow=BUILD/flow_loop)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", default="100,1000", help="bytes of a value")
    parser.add_argument("--megabytes", type=int, default=300, help="what a drain reads; at most 3 million records")
    parser.add_argument("--partitions", type=int, default=6, help="of the topic that is read")
    parser.add_argument("--setting", action="append", default=[], metavar="KEY=VALUE", help="of that topic")
    parser.add_argument("--targets", default="1", help="how many targets; with 1,3 also what a further one costs")
    parser.add_argument("--far", choices=["home", "target"], help="what is far from the program")
    parser.add_argument("--round-trip-ms", type=float, default=100, help="how far")
    parser.add_argument("--filter", choices=["on", "off"], default="off")
    parser.add_argument("--commit-ms", type=int, default=100)
    parser.add_argument("--latency", action="store_true")
    parser.add_argument("--rate", type=int, default=1000, help="of the steady load")
    parser.add_argument("--seconds", type=int, default=20, help="of the steady load")
    chosen = parser.parse_args()
    programs = chosen.program or [f"raw={chosen.build}/raw_loop", f"flow={chosen.build}/flow_loop"]
    chosen.program = {name: shlex.split(command) for name, _, command in (text.partition("=") for text in programs)}
    return chosen


class Bench:
    """`seen` tells where the program under test finds a cluster that is here."""

    def __init__(self, chosen: argparse.Namespace, proxies: ExitStack) -> None:
        self.chosen = chosen
        self.clusters = json.loads((chosen.kafka_dir / "clusters.json").read_text())
        self.home: str = self.clusters[chosen.home]["bootstrap"]
        self.others: list[str] = [self.clusters[name]["bootstrap"] for name in chosen.to.split(",")]
        self.seen = {address: address for address in (self.home, *self.others)}
        if chosen.far:
            for name in [chosen.home] if chosen.far == "home" else chosen.to.split(","):
                self._put_far(name, proxies)
        self.count = 0

    def _put_far(self, name: str, proxies: ExitStack) -> None:
        (broker,) = self.clusters[name]["brokers"]
        detour = broker["detour"]
        proxies.enter_context(Proxy(detour["advertised"], detour["port"], delay=self.chosen.round_trip_ms / 2000))
        self.seen[self.clusters[name]["bootstrap"]] = f"127.0.0.1:{detour['advertised']}"

    def run(self) -> None:
        for size in map(int, self.chosen.sizes.split(",")):
            cost: dict[int, dict[str, float]] = {}
            for targets in map(int, self.chosen.targets.split(",")):
                rounds = self._rounds(size, targets)
                report(f"{size} B, {targets} target{'s' * (targets > 1)}, filter {self.chosen.filter}", rounds,
                       COLUMNS[self.chosen.latency])
                cost[targets] = {name: median(one["cpu_s_per_million"] for one in each) for name, each in rounds.items()}
            report_marginal(cost)

    def _rounds(self, size: int, targets: int) -> dict[str, list[Figures]]:
        brokers = self.others[:targets]
        records = min(3_000_000, self.chosen.megabytes * 1_000_000 // size)
        rounds: dict[str, list[Figures]] = {name: [] for name in self.chosen.program}
        with self._source(0 if self.chosen.latency else records, size) as full:
            for number in range(self.chosen.rounds):
                for name, command in self.chosen.program.items():
                    told = self._steady(command, brokers, size) if self.chosen.latency else \
                        self._drain(command, full, brokers, records)
                    rounds[name].append(told)
                    print(f"# round {number + 1}, {name}: {json.dumps(told)}", file=sys.stderr, flush=True)
        return rounds

    @contextmanager
    def _source(self, records: int, size: int) -> Iterator[str]:
        name = self._fresh("source")
        self._fill(self.home, name, "--records", str(records), "--size", str(size), "--partitions",
                   str(self.chosen.partitions), *(word for text in self.chosen.setting for word in ("--setting", text)))
        try:
            yield name
        finally:
            self._fill(self.home, name, "--delete")

    @contextmanager
    def _sink(self, brokers: list[str]) -> Iterator[str]:
        name = self._fresh("sink")
        try:
            yield name
        finally:
            for cluster in brokers:
                for topic in (name, f"{name}.positions"):
                    # Not every program keeps its positions there.
                    subprocess.run([self.chosen.build / "bench_fill", "--brokers", cluster, "--topic", topic, "--delete"],
                                   stderr=subprocess.DEVNULL)

    def _fresh(self, kind: str) -> str:
        self.count += 1
        return f"bench-{os.getpid()}-{kind}-{self.count}"

    def _fill(self, brokers: str, topic: str, *more: str) -> None:
        subprocess.run([self.chosen.build / "bench_fill", "--brokers", brokers, "--topic", topic, *more], check=True)

    def _flags(self, source: str, sink: str, brokers: list[str], records: int) -> list[str]:
        return ["--home", self.seen[self.home], "--source", source, "--sink", sink, "--records", str(records),
                "--commit-ms", str(self.chosen.commit_ms), "--payload-filter", self.chosen.filter,
                *(word for cluster in brokers for word in ("--target", self.seen[cluster]))]

    def _drain(self, command: list[str], source: str, brokers: list[str], records: int) -> Figures:
        with self._sink(brokers) as sink:
            done = subprocess.run([*command, *self._flags(source, sink, brokers, records)], stdout=subprocess.PIPE,
                                  text=True, check=True, timeout=600)
            return figures(done.stdout)

    def _steady(self, command: list[str], brokers: list[str], size: int) -> Figures:
        with self._source(0, size) as source, self._sink(brokers) as sink, \
                subprocess.Popen([*command, *self._flags(source, sink, brokers, 0)], stdout=subprocess.PIPE,
                                 text=True) as program:
            load = [self.chosen.build / "bench_latency", "--home", self.home, "--target", brokers[0], "--source", source,
                    "--sink", sink, "--rate", str(self.chosen.rate), "--size", str(size)]
            try:
                # Once without measuring: connections, first fetches and the transaction's first start are not the question.
                subprocess.run([*load, "--seconds", "2", "--warm-up", "0"], stdout=subprocess.DEVNULL, check=True)
                before = cpu_seconds(program.pid)
                told = subprocess.run([*load, "--seconds", str(self.chosen.seconds), "--warm-up", "0"],
                                      stdout=subprocess.PIPE, text=True, check=True)
                spent = cpu_seconds(program.pid) - before
            finally:
                program.terminate()
            memory = figures(program.communicate(timeout=60)[0])["max_rss_mb"]
            return figures(told.stdout) | {
                "max_rss_mb": memory, "cpu_s_per_million": spent / (self.chosen.rate * self.chosen.seconds) * 1e6}


def figures(output: str) -> Figures:
    told = json.loads(output.splitlines()[-1])
    return {name: value for name, value in told.items() if isinstance(value, (int, float))}


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def report(title: str, rounds: dict[str, list[Figures]], columns: dict[str, str]) -> None:
    first, *others = rounds
    print(f"\n{title}\n\n| | {' | '.join(columns.values())} |\n|---|{'---|' * len(columns)}")
    for name, each in rounds.items():
        print(f"| {name} | {' | '.join(f'{median(one[column] for one in each):.4g}' for column in columns)} |")
    for name in others:
        ratios = (median(mine[column] / reference[column] for mine, reference in zip(rounds[name], rounds[first]))
                  for column in columns)
        print(f"| {name} / {first} | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |", flush=True)


def report_marginal(cost: dict[int, dict[str, float]]) -> None:
    fewest, most = min(cost), max(cost)
    if fewest == most:
        return
    print("\nEach further target, cpu-s/M:")
    for name in cost[fewest]:
        print(f"  {name}: {(cost[most][name] - cost[fewest][name]) / (most - fewest):.2f}", flush=True)


def main() -> int:
    try:
        with ExitStack() as proxies:
            Bench(arguments(), proxies).run()
    except subprocess.CalledProcessError as problem:
        print(f"bench.py: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
