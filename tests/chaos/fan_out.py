#!/usr/bin/env python3
"""Fan-out that never waits: one replicator, four targets, of which one is slow and one is away for a time.

    fan_out.py --kafka-dir DIR --replicator .../replicator --load .../chaos_load --verify .../chaos_verify \\
               --latency .../chaos_latency                                       in short, as in the test suite
    fan_out.py ... --reference 120 --away-for 600 --lag 1 --ratio 1.5            in full

The way to the slow target takes 200 ms in each direction, and 1 MB/s. The other one is away half of the time in silence,
and refuses half of the time. Throughout, the lag of the healthy two at 99 % of the records must be --lag seconds at most,
and at half of them --ratio times that of a run without the sick ones; the replicator must stay within its memory; and in
the end all four must hold what the source holds. Prints a summary as one line of JSON. Exit code 0: all of that is so;
1: it is not, and the ends of all logs are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from chaos import Kafka, LOG_LINES, PARTITIONS, Replicator, STOP_LIMIT, await_any, configuration, failed, tail

sys.path.append(str(Path(__file__).parent.parent / "kafka_fixture"))
from proxy import Proxy

SLOW_DELAY = 0.2  # seconds each way
SLOW_RATE = 1_000_000  # bytes a second
START_LIMIT = 60  # seconds
WARM_UP = 3
BESIDE_MEMORY = 128  # MB that a replicator may take beside what it is given to buffer with
Figures = dict[str, dict[str, dict[str, float]]]  # by phase and target


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka-dir", type=Path, required=True, help="the folder of the running clusters")
    parser.add_argument("--kafka", type=Path, default=Path(__file__).parent.parent / "kafka_fixture" / "kafka.py")
    parser.add_argument("--home", default="home", help="the cluster to read")
    parser.add_argument("--healthy", default="tokyo,dublin", help="clusters to write")
    parser.add_argument("--slow", default="oregon", help="another, with a detour")
    parser.add_argument("--away", default="sydney", help="and one more")
    for program in ("replicator", "load", "verify", "latency"):
        parser.add_argument(f"--{program}", type=Path, required=True, help="the program")
    parser.add_argument("--work", type=Path, default=Path("fan_out"), help="for logs, configurations and state; emptied first")
    parser.add_argument("--rate", type=int, default=400, help="records of 1 kB a second")
    parser.add_argument("--memory", type=int, default=128, help="MiB that the replicator buffers with")
    parser.add_argument("--reference", type=float, default=0, help="seconds without the sick ones; 0: no ratio is asked for")
    parser.add_argument("--before", type=float, default=3, help="seconds with all four, before one goes away")
    parser.add_argument("--away-for", type=float, default=24, help="seconds")
    parser.add_argument("--after", type=float, default=5, help="seconds of load after it has come back")
    parser.add_argument("--drain", type=int, default=60, help="seconds in which all must catch up afterwards")
    parser.add_argument("--lag", type=float, default=5, help="seconds")
    parser.add_argument("--ratio", type=float, default=1.5)
    return parser.parse_args()


class FanOut:
    """One scenario: without the sick ones, then with them."""

    def __init__(self, chosen: argparse.Namespace, around: ExitStack) -> None:
        self.chosen = chosen
        self.around = around
        self.healthy = chosen.healthy.split(",")
        self.kafka = Kafka(chosen.kafka, chosen.kafka_dir, [chosen.home, *self.healthy, chosen.slow, chosen.away])
        self.problems: list[str] = []
        self.replicators: list[Replicator] = []
        self.summary: dict[str, object] = {}
        shutil.rmtree(chosen.work, ignore_errors=True)
        chosen.work.mkdir(parents=True)

    def run(self) -> None:
        chosen = self.chosen
        try:
            reference = self._reference() if chosen.reference else {}
            with Proxy(*self.kafka.detour(chosen.slow), delay=SLOW_DELAY, rate=SLOW_RATE), \
                    Proxy(*self.kafka.detour(chosen.away)) as way:
                self._judge(self._sick(way), reference)
        except failed as problem:
            self.problems.append(str(problem))
        finally:
            for replicator in self.replicators:
                replicator.destroy()
        self.summary |= {"load_average": os.getloadavg(), "result": "bad" if self.problems else "good"}

    def _reference(self) -> Figures:
        with Run(self, "reference", self.healthy, {}) as run:
            run.phase("reference", self.chosen.reference)
            figures = run.finish(self.chosen.drain)
        self.summary["reference"] = figures
        return figures

    def _sick(self, way: Proxy) -> Figures:
        chosen = self.chosen
        detours = {name: f"127.0.0.1:{self.kafka.detour(name)[0]}" for name in (chosen.slow, chosen.away)}
        with Run(self, "sick", [*self.healthy, *detours], detours) as run:
            run.phase("before", chosen.before)
            way.tell("silence")
            run.phase("away, silent", chosen.away_for / 2)
            way.tell("refuse")
            run.phase("away, refused", chosen.away_for / 2)
            way.tell("pass")
            run.phase("after", chosen.after)
            figures = run.finish(chosen.drain)
            self.summary |= {"phases": figures, "peak_mb": run.peak_megabytes()}
        # By now a late repetition has arrived too.
        self.summary["records"] = run.verify()
        return figures

    def _judge(self, sick: Figures, reference: Figures) -> None:
        chosen = self.chosen
        for phase, by_target in sick.items():
            for name in self.healthy:
                self._expect(by_target[name]["p99_ms"], "<=", chosen.lag * 1000, f"ms, the lag of {name}, {phase}, at 99 %")
                if reference:
                    usual = reference["reference"][name]["p50_ms"]
                    self._expect(by_target[name]["p50_ms"], "<=", chosen.ratio * usual,
                                 f"ms, the lag of {name}, {phase}, at 50 %, of which {usual} are usual")
            self._expect(by_target[chosen.slow]["p50_ms"], ">=", SLOW_DELAY * 1000, f"ms, the lag of {chosen.slow}, {phase}")
        # What has been away was, or nothing of this means anything.
        self._expect(sick["away, silent"][chosen.away]["max_ms"], ">=", chosen.away_for * 1000,
                     f"ms, the lag of {chosen.away} while it was away")
        self._expect(float(str(self.summary["peak_mb"])), "<=", chosen.memory * 1.048576 + BESIDE_MEMORY,
                     "MB, what the replicator took")

    def _expect(self, value: float, relation: str, bound: float, what: str) -> None:
        if not (value <= bound if relation == "<=" else value >= bound):
            self.problems.append(f"{value:g} {relation} {bound:g} is not so: {what}")

    def explain(self) -> None:
        for problem in self.problems:
            print(f"fan_out.py: {problem}")
        for replicator in self.replicators:
            print(f"--- {replicator.config}\n{replicator.config.read_text()}--- the end of {replicator.log}")
            print("\n".join(tail(replicator.log, LOG_LINES)), flush=True)
        self.kafka.print_logs()


class Run:
    """A replicator with a topic of its own, under load and measured, until the block ends."""

    def __init__(self, scenario: FanOut, name: str, targets: list[str], detours: dict[str, str]) -> None:
        self.scenario = scenario
        self.targets = targets
        self.topic = f"fan-out-{name}-{os.getpid()}"
        chosen, kafka = scenario.chosen, scenario.kafka
        self.home = kafka.addresses[chosen.home]
        subprocess.run([chosen.load, "--create-topics", "--brokers", self.home, "--topic", self.topic, "--partitions",
                        str(PARTITIONS)], check=True)
        seen = {each: kafka.addresses[each] for each in (chosen.home, *targets)} | detours
        self.replicator = Replicator(name, chosen.replicator, configuration(
            chosen.work.absolute() / f"{name}.yaml", self.topic, chosen.home, seen, f"memory: {chosen.memory}MiB\n"),
            scenario.problems)
        scenario.replicators.append(self.replicator)

    def __enter__(self) -> Run:
        chosen = self.scenario.chosen
        limit = time.monotonic() + START_LIMIT
        while not self.replicator.has_said("ready"):
            self._wait(0.1, self.replicator.process)
            if time.monotonic() > limit:
                raise failed(f"the replicator was not ready within {START_LIMIT} s")
        self.latency = self.scenario.around.enter_context(subprocess.Popen(
            [chosen.latency, "--home", self.home, "--source", self.topic, "--sink", self.topic, "--rate", str(chosen.rate),
             "--phases", "--patience", str(chosen.drain), *self._target_flags()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1))
        self.scenario.around.callback(self.latency.kill)
        assert self.latency.stdout
        if self.latency.stdout.readline() != "ready\n":
            raise failed("the targets cannot be read")
        # First fetches and the first transactions' topics are not the question.
        self.phase("warm-up", WARM_UP)
        return self

    def __exit__(self, *_: object) -> None:
        if self.replicator.can_be_told:
            self.replicator.terminate(None)
        while self.replicator.state != "down":
            await_any([self.replicator.process], time.monotonic() + STOP_LIMIT)
            self.replicator.tick(time.monotonic())

    def phase(self, name: str, seconds: float) -> None:
        assert self.latency.stdin
        print(name, file=self.latency.stdin)
        self._wait(seconds, self.replicator.process, self.latency)

    def _wait(self, seconds: float, *processes: subprocess.Popen) -> None:
        await_any(list(processes), time.monotonic() + seconds)
        self.replicator.tick(time.monotonic())
        if any(each.poll() is not None for each in processes):
            raise failed("something ended that should not")

    def finish(self, limit: int) -> Figures:
        """Ends the load; returns when everything is everywhere."""
        told, _ = self.latency.communicate()
        if self.latency.returncode != 0:
            raise failed(f"not everything had arrived {limit} s after the load")
        figures: Figures = {}
        for line in told.splitlines():
            one = json.loads(line)
            figures.setdefault(one.pop("phase"), {})[one.pop("target")] = one
        del figures["warm-up"]
        return figures

    def verify(self) -> int:
        chosen = self.scenario.chosen
        found = subprocess.run([chosen.verify, "--source", self.home, "--topic", self.topic, *self._target_flags()],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if found.returncode != 0:
            raise failed(f"chaos_verify ended with {found.returncode}:\n{found.stdout}")
        return json.loads(found.stdout.splitlines()[-1])["source"]

    def peak_megabytes(self) -> float:
        for line in Path(f"/proc/{self.replicator.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise failed("the replicator has no memory of its own")

    def _target_flags(self) -> list[str]:
        return [word for name in self.targets for word in ("--target", f"{name}={self.scenario.kafka.addresses[name]}")]


def main() -> int:
    with ExitStack() as around:
        scenario = FanOut(arguments(), around)
        scenario.run()
    if scenario.problems:
        scenario.explain()
    else:
        shutil.rmtree(scenario.chosen.work)
    print(json.dumps(scenario.summary), flush=True)
    return 1 if scenario.problems else 0


if __name__ == "__main__":
    sys.exit(main())
