#!/usr/bin/env python3
"""Chaos: two replicators, real clusters, a load that also aborts, and random events that end, freeze or restart things.

    chaos.py --kafka-dir DIR --replicator build/dev/examples/replicator/replicator --load .../chaos_load \\
             --verify .../chaos_verify [--events 1000] [--seed N]

Afterwards every target must hold exactly the committed records of the source, byte for byte and in partition order, and
every replicator must have ended only when it was made to.

With --park the targets do not take large records, so keys are parked. Two more things happen: a target begins to take
large records, or ceases to; and a replay is called, and the one before it killed if it is still at work. In the end
nothing must be parked any more, and it is the order of each key that has to be the source's.

Prints a summary as one line of JSON. Exit code 0: all of that is so; 1: it is not, and the seed, the configurations and
the ends of all logs are printed.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SESSION_TIMEOUT = 6.0
MOST_PROBLEMS = 5  # a program that cannot run at all need not be started for ever
STOP_LIMIT = 30.0
LOG_LINES = 60  # of each log, when a run has failed
PARTITIONS = 6
EVENTS = {"kill": 20, "freeze": 6, "terminate": 8, "broker": 1}  # how often each happens, compared to the others
PARKING_EVENTS = {"limit": 8, "replay": 12}
LIMIT = 12_000  # bytes; one record in a hundred is larger
# Else the client sends batches that no topic of that limit takes, and ever smaller transactions have to find out why.
FOR_PARKING = {"of_clusters": ", batch.size: 10000", "of_topics": "  sync_settings: []\n"}


class failed(Exception):
    """The run cannot go on, or its result is bad; the text says why."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka-dir", type=Path, required=True, help="the folder of the running clusters")
    parser.add_argument("--kafka", type=Path, default=Path(__file__).parent.parent / "kafka_fixture" / "kafka.py")
    parser.add_argument("--home", default="home", help="the cluster to read")
    parser.add_argument("--targets", default="tokyo,oregon,dublin", help="the clusters to write")
    for program in ("replicator", "load", "verify"):
        parser.add_argument(f"--{program}", type=Path, required=True, help="the program")
    parser.add_argument("--work", type=Path, default=Path("chaos"), help="for logs, configurations and state; emptied first")
    parser.add_argument("--events", type=int, default=40)
    parser.add_argument("--mix", type=mix, help="as in kill=20,broker=1: which events, how often each")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--rate", type=float, default=1000, help="records a second")
    parser.add_argument("--gap", type=float, default=2.5, help="seconds between two events at most")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--once", action="store_true", help="events, of which some are repeated or malformed; with dedup")
    shape.add_argument("--park", action="store_true", help="targets that do not take large records; with replays")
    parser.add_argument("--drain", type=int, default=180, help="seconds in which the targets must catch up afterwards")
    chosen = parser.parse_args()
    chosen.mix = chosen.mix or EVENTS | (PARKING_EVENTS if chosen.park else {})
    if not chosen.park and chosen.mix.keys() & PARKING_EVENTS.keys():
        parser.error(f"{' and '.join(PARKING_EVENTS)} happen with --park only")
    return chosen


def mix(text: str) -> dict[str, int]:
    """The weights of some of the events, in the form of `EVENTS`."""
    known = EVENTS | PARKING_EVENTS
    weights = {event: int(weight) for event, weight in (part.split("=") for part in text.split(","))}
    if unknown := weights.keys() - known.keys():
        raise argparse.ArgumentTypeError(f"there is no event {', '.join(unknown)}, only {', '.join(known)}")
    return weights


@dataclasses.dataclass(frozen=True)
class Broker:
    cluster: str
    number: int

    def __str__(self) -> str:
        return f"broker {self.number} of {self.cluster}"


class Kafka:
    """The clusters of a run; one broker of them all may be down at a time."""

    def __init__(self, program: Path, folder: Path, clusters: list[str]) -> None:
        self.program = program
        self.folder = folder
        self.running = json.loads((folder / "clusters.json").read_text())
        self.addresses = {name: self.running[name]["bootstrap"] for name in clusters}
        self.brokers = [Broker(name, broker["number"]) for name in clusters for broker in self.running[name]["brokers"]]
        self.down: Broker | None = None
        self.restart_at = 0.0
        self.restarting: subprocess.Popen[bytes] | None = None

    def detour(self, name: str) -> tuple[int, int]:
        """Where whoever stands in the way to this cluster has to listen, and where that leads."""
        (broker,) = self.running[name]["brokers"]
        return broker["detour"]["advertised"], broker["detour"]["port"]

    def kill(self, broker: Broker, restart_at: float) -> None:
        subprocess.run(self._command("kill", broker), check=True)
        self.down, self.restart_at = broker, restart_at

    def tick(self, now: float) -> None:
        if self.down and not self.restarting and now >= self.restart_at:
            self.restarting = subprocess.Popen(self._command("restart", self.down))
        if self.restarting and self.restarting.poll() is not None:
            broker, code = self.down, self.restarting.returncode
            self.down = self.restarting = None
            if code != 0:
                raise failed(f"{broker} did not come back")

    def restore(self) -> None:
        """Leaves no broker down behind, however the run ends: other tests share the clusters."""
        while self.down:
            self.tick(self.restart_at)
            if self.restarting:
                self.restarting.wait()

    @property
    def due(self) -> float | None:
        return self.restart_at if self.down and not self.restarting else None

    def print_logs(self) -> None:
        for broker in self.brokers:
            subprocess.run([*self._command("log", broker), "--tail", str(LOG_LINES)])

    def _command(self, verb: str, broker: Broker) -> list[str]:
        return [sys.executable, str(self.program), verb, "--dir", str(self.folder), broker.cluster,
                "--broker", str(broker.number)]


class Replicator:
    """One `replicator run` process, and what has been done to it."""

    def __init__(self, name: str, program: Path, config: Path, problems: list[str]) -> None:
        self.name = name
        self.config = config
        self.log = config.with_suffix(".log")
        self.problems = problems
        self.command = [str(program), "run", "--config", str(config)]
        self.starts = 0
        self.start()

    def start(self) -> None:
        self.state = "running"
        self.due: float | None = None
        self.starts += 1
        self.said_before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def kill(self, restart_at: float) -> None:
        self.process.kill()
        self.process.wait()
        self.state, self.due = "down", restart_at

    def freeze(self, until: float) -> None:
        self.process.send_signal(signal.SIGSTOP)
        self.state, self.due = "frozen", until

    def terminate(self, restart_after: float | None) -> None:
        """`restart_after` seconds after its end it starts again; None: never."""
        self.process.terminate()
        self.state, self.due = "stopping", time.monotonic() + STOP_LIMIT
        self.restart_after = restart_after

    @property
    def can_be_told(self) -> bool:
        """Before it says that it is starting a SIGTERM ends a program; killing it is always fair.

        That may be long after its start: one that was frozen on the way there has not come any further.
        """
        return self.has_said("starting")

    def has_said(self, word: str) -> bool:
        """Since its start, among the first things."""
        with self.log.open("rb") as log:
            log.seek(self.said_before)
            return f" {word}\n".encode() in log.read(1 << 16)

    def tick(self, now: float) -> None:
        if self.state in ("running", "stopping") and self.process.poll() is not None:
            self._ended(now)
        elif self.due is not None and now >= self.due:
            self._overdue(now)

    def _ended(self, now: float) -> None:
        code, asked = self.process.returncode, self.state == "stopping"
        if not asked or code != 0:
            reason = "was asked to stop and" if asked else "was left alone and"
            self.problems.append(f"{self.name} {reason} ended with {code}: {self.last_words()}")
            if len(self.problems) >= MOST_PROBLEMS:
                raise failed("too many problems to go on")
        after = self.restart_after if asked else 0.5
        self.state, self.due = "down", None if after is None else now + after

    def _overdue(self, now: float) -> None:
        if self.state == "down":
            self.start()
        elif self.state == "frozen":
            self.process.send_signal(signal.SIGCONT)
            self.state, self.due = "running", None
        elif self.state == "stopping":
            self.problems.append(f"{self.name} was still running {STOP_LIMIT:g} s after SIGTERM")
            self.kill(now)
            if self.restart_after is None:
                self.due = None

    def last_words(self) -> str:
        return next(iter(reversed(tail(self.log, 1))), "(it said nothing)")

    def destroy(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Parking:
    """What the targets take, and replays of what they did not."""

    def __init__(self, program: Path, config: Path, load: Path, topic: str, addresses: dict[str, str]) -> None:
        self.command = [str(program), "dlq"]
        self.config = config
        self.log = config.with_name("replay.log")
        self.load = load
        self.topic = topic
        self.addresses = addresses
        self.process: subprocess.Popen[bytes] | None = None
        self.counts: collections.Counter[str] = collections.Counter()
        for name in addresses:
            self._settle(name, "--create-topics", "--partitions", str(PARTITIONS), "--max-message-bytes", str(LIMIT))
        self.narrow = set(addresses)

    def change(self, name: str) -> None:
        """Takes large records from now on, or no longer."""
        self._settle(name, "--change-topics", *([] if name in self.narrow else ["--max-message-bytes", str(LIMIT)]))
        self.narrow ^= {name}

    def replay(self) -> None:
        """Beside whatever else goes on; the one before is killed if it is still at work."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
            self.counts["killed"] += 1
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*self.command, "replay", "--config", str(self.config)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def tick(self) -> None:
        """Where nobody is at work, as after a crash, a replay ends with 1 and is to be called again."""
        if not self.process or self.process.poll() is None:
            return
        code, self.process = self.process.returncode, None
        if code not in (0, 1):
            raise failed(f"a replay ended with {code}: {(tail(self.log, 1) or ['(it said nothing)'])[0]}")
        self.counts["through" if code == 0 else "to be called again"] += 1

    def letters(self) -> list[dict[str, Any]]:
        """By target and reason."""
        listed = subprocess.run([*self.command, "list", "--format", "json", "--config", str(self.config)],
                                stdout=subprocess.PIPE, text=True)
        if listed.returncode != 0:
            raise failed(f"dlq list ended with {listed.returncode}")
        return [json.loads(line) for line in listed.stdout.splitlines()]

    def destroy(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def _settle(self, name: str, *what: str) -> None:
        subprocess.run([self.load, "--brokers", self.addresses[name], "--topic", self.topic, *what], check=True)


class Chaos:
    """One run: plan, events, drain, verdict."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.chosen = chosen
        self.random = random.Random(chosen.seed)
        self.targets = chosen.targets.split(",")
        self.kafka = Kafka(chosen.kafka, chosen.kafka_dir, [chosen.home, *self.targets])
        self.topic = f"chaos-{chosen.seed}-{os.getpid()}"
        self.problems: list[str] = []
        self.counts: collections.Counter[str] = collections.Counter()
        self.summary: dict[str, object] = {"seed": chosen.seed}
        self.replicators: list[Replicator] = []
        self.loads: list[subprocess.Popen[str]] = []
        self.parking: Parking | None = None
        shutil.rmtree(chosen.work, ignore_errors=True)
        chosen.work.mkdir(parents=True)

    def run(self) -> None:
        began = time.monotonic()
        try:
            self._start()
            self._events()
            self._stop_load()
            if self.parking:
                self._release(self.parking)
            self._drain()
        except failed as problem:
            self.problems.append(str(problem))
        finally:
            for replicator in self.replicators:
                replicator.destroy()
            for load in self.loads:
                load.kill()
            if self.parking:
                self.parking.destroy()
            self._restore()
        self.summary |= {"happened": dict(sorted(self.counts.items())),
                         "starts": sum(replicator.starts for replicator in self.replicators),
                         "seconds": round(time.monotonic() - began, 1),
                         "result": "different" if self.problems else "equal"}

    def _restore(self) -> None:
        try:
            self.kafka.restore()
        except failed as problem:
            self.problems.append(str(problem))

    def _start(self) -> None:
        home = self.kafka.addresses[self.chosen.home]
        subprocess.run([self.chosen.load, "--create-topics", "--brokers", home, "--topic", self.topic,
                        "--partitions", str(PARTITIONS)], check=True)
        # Two loads, so that committed and aborted transactions lie interleaved on every partition.
        self.loads = [subprocess.Popen(
            [self.chosen.load, "--brokers", home, "--topic", self.topic, "--rate", str(self.chosen.rate / 2),
             "--seed", str(self.chosen.seed * 2 + number), "--transactional-id", f"{self.topic}-load-{number}",
             *(["--events"] if self.chosen.once else ["--keyed"] if self.chosen.park else [])],
            stdout=subprocess.PIPE, text=True) for number in range(2)]
        configurations = {name: self._configuration(name) for name in ("chaos-1", "chaos-2")}
        if self.chosen.park:
            self.parking = Parking(self.chosen.replicator, configurations["chaos-1"], self.chosen.load, self.topic,
                                   {name: self.kafka.addresses[name] for name in self.targets})
        self.replicators = [Replicator(name, self.chosen.replicator, config, self.problems)
                            for name, config in configurations.items()]

    def _configuration(self, instance: str) -> Path:
        more = f"commit_every: 100ms\nsession: {SESSION_TIMEOUT:g}s\n"
        if self.chosen.once:
            more += "dedup: {id: /id, window: 24h}\non_failure: {policy: dead_letter}\n"
        if self.chosen.park:
            more += "on_failure: {policy: park_key}\n"
        return configuration(self.chosen.work.absolute() / f"{instance}.yaml", self.topic, self.chosen.home,
                             self.kafka.addresses, more, **(FOR_PARKING if self.chosen.park else {}))

    def _plan(self) -> list[str]:
        """Of each event at least one."""
        mix = self.chosen.mix
        plan = [*mix, *self.random.choices(list(mix), list(mix.values()), k=self.chosen.events)]
        plan = plan[:self.chosen.events]
        self.random.shuffle(plan)
        return plan

    def _events(self) -> None:
        plan = self._plan()
        next_event = time.monotonic() + self._some(2, 4)
        while plan or self._unsettled() or time.monotonic() < next_event:
            self._tick()
            now = time.monotonic()
            if plan and now >= next_event and self._happen(plan[0], now):
                self.counts[plan.pop(0)] += 1
                next_event = now + self._some(0.1, self.chosen.gap)
            self._wait(next_event if now < next_event else now + 0.2)

    def _happen(self, kind: str, now: float) -> bool:
        """False if there is nobody to whom it could happen now."""
        if kind == "broker":
            if not self.kafka.down:
                self.kafka.kill(self.random.choice(self.kafka.brokers), now + self._some(0.5, 5))
                return True
            return False
        if self.parking and kind in PARKING_EVENTS:
            return self._happen_to(self.parking, kind)
        running = [one for one in self.replicators
                   if one.state == "running" and (kind != "terminate" or one.can_be_told)]
        if not running:
            return False
        victim = self.random.choice(running)
        match kind:
            case "kill":
                victim.kill(now + self._some(0, 2))
            case "freeze":
                victim.freeze(now + self._some(SESSION_TIMEOUT + 1, SESSION_TIMEOUT + 4))
            case "terminate":
                victim.terminate(self._some(0, 2))
        return True

    def _happen_to(self, parking: Parking, kind: str) -> bool:
        if kind == "replay":
            parking.replay()
        elif there := [name for name in self.targets if not self.kafka.down or self.kafka.down.cluster != name]:
            parking.change(self.random.choice(there))
        else:
            return False
        return True

    def _unsettled(self) -> bool:
        return self.kafka.down is not None or any(one.state != "running" for one in self.replicators)

    def _tick(self) -> None:
        now = time.monotonic()
        self.kafka.tick(now)
        if self.parking:
            self.parking.tick()
        for replicator in self.replicators:
            replicator.tick(now)
        for load in self.loads:
            if load.poll() is not None:
                raise failed(f"a load ended by itself with {load.returncode}")

    def _wait(self, until: float | None) -> None:
        """Until that moment, the next thing due, or the end of a process, whichever comes first."""
        moments = [moment for moment in (until, self.kafka.due, *(one.due for one in self.replicators)) if moment]
        processes = [*self.loads, *(one.process for one in self.replicators), self.kafka.restarting,
                     self.parking.process if self.parking else None]
        await_any([one for one in processes if one and one.poll() is None], min(moments, default=time.monotonic() + 1))

    def _some(self, low: float, high: float) -> float:
        return self.random.uniform(low, high)

    def _stop_load(self) -> None:
        tallies = []
        for load in self.loads:
            load.terminate()
            output = load.communicate(timeout=60)[0]
            if load.returncode != 0:
                raise failed(f"a load ended with {load.returncode}")
            tallies.append(json.loads(output.splitlines()[-1]))
        self.loads = []
        for name in ("committed", "aborted", "uncertain", "transactions"):
            self.summary[name] = sum(tally[name] for tally in tallies)

    def _release(self, parking: Parking) -> None:
        """By raising all limits and replaying, as often as it takes: a lane learns what its topic takes when it releases,
        so what it has parked with nothing to release before that needs another one."""
        for name in sorted(parking.narrow):
            parking.change(name)
        limit = time.monotonic() + self.chosen.drain
        self._await_replay(parking, limit)
        while True:
            parking.replay()
            self._await_replay(parking, limit)
            try:
                self._verify("--wait", "5")
                break
            except failed:
                if time.monotonic() > limit:
                    raise
        letters = parking.letters()
        counts = {reason: sum(each["letters"] for each in letters if each["reason"] == reason)
                  for reason in ("refused", "parked")}
        self.summary |= {"letters": counts, "replays": dict(sorted(parking.counts.items()))}
        if left := [each for each in letters if each["replayed"] != each["letters"]]:
            raise failed(f"everything has arrived, and dlq list shows {left}")
        if not all(counts.values()):
            raise failed("no key was parked, or nothing followed it")

    def _await_replay(self, parking: Parking, limit: float) -> None:
        while parking.process:
            self._wait(limit)
            self._tick()
            if parking.process and time.monotonic() > limit:
                raise failed(f"a replay was not through {self.chosen.drain} s after all events")

    def _drain(self) -> None:
        began = time.monotonic()
        self._verify("--wait", str(self.chosen.drain))
        self.summary["drain_seconds"] = round(time.monotonic() - began, 1)
        while any(replicator.state != "down" for replicator in self.replicators):
            for replicator in self.replicators:
                replicator.tick(time.monotonic())
                if replicator.state == "running" and replicator.can_be_told:
                    replicator.terminate(None)
            self._wait(None)
        # Whatever was still on its way has arrived by now, a late repetition too.
        self._verify()

    def _verify(self, *more: str) -> None:
        if self.chosen.once:
            self.summary["events"] = self._compare(self.targets, "--keep", "events", *more)
            self.summary["malformed"] = self._compare([self.chosen.home], "--keep", "malformed", "--target-topic",
                                                      f"{self.topic}.dlq", *more)
            if not self.summary["events"] or not self.summary["malformed"]:
                raise failed("there was nothing to compare")
        else:
            order = ["--order", "key"] if self.chosen.park else []
            self.summary["records"] = self._compare(self.targets, *order, *more)
            self._check_source(int(str(self.summary["records"])))

    def _compare(self, targets: list[str], *more: str) -> int:
        """How many records each of them holds, as it has to."""
        command = [self.chosen.verify, "--source", self.kafka.addresses[self.chosen.home], "--topic", self.topic, *more]
        for name in targets:
            command += ["--target", f"{name}={self.kafka.addresses[name]}"]
        found = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if found.returncode != 0:
            raise failed(f"chaos_verify ended with {found.returncode}:\n{found.stdout}")
        return json.loads(found.stdout.splitlines()[-1])["source"]

    def _check_source(self, visible: int) -> None:
        """An empty source would be equal to empty targets."""
        committed, uncertain = int(str(self.summary["committed"])), int(str(self.summary["uncertain"]))
        if not committed <= visible <= committed + uncertain or visible == 0:
            raise failed(f"the source shows {visible} records; {committed} were committed, {uncertain} perhaps")

    def explain(self) -> None:
        for problem, times in collections.Counter(self.problems).items():
            print(f"chaos.py: {problem}" + (f" ({times} times)" if times > 1 else ""))
        print(f"chaos.py: seed {self.chosen.seed}")
        if self.parking and self.parking.log.exists():
            print(f"--- the end of {self.parking.log}", *tail(self.parking.log, LOG_LINES), sep="\n")
        for replicator in self.replicators:
            print(f"--- {replicator.config}\n{replicator.config.read_text()}--- the end of {replicator.log}")
            print("\n".join(tail(replicator.log, LOG_LINES)), flush=True)
        self.kafka.print_logs()


def configuration(path: Path, topic: str, home: str, addresses: dict[str, str], more: str, *,
                  of_clusters: str = "", of_topics: str = "") -> Path:
    """For the instance that the file is called after, which replicates one topic from home to everywhere else."""
    targets = ", ".join(name for name in addresses if name != home)
    clusters = "".join(f'  {name}: {{bootstrap.servers: "{address}"{of_clusters}}}\n'
                       for name, address in addresses.items())
    path.write_text(f"application: {topic}\ninstance: {path.stem}\nhome: {home}\ntargets: [{targets}]\n"
                    f"clusters:\n{clusters}topics:\n  include: [{topic}]\n{of_topics}"
                    f"state: {path.with_suffix('.state')}\n{more}")
    return path


def await_any(processes: list[subprocess.Popen], until: float) -> None:
    """Returns when one of the processes has ended, or at `until`."""
    poller = select.poll()
    handles = [os.pidfd_open(process.pid) for process in processes]
    try:
        for handle in handles:
            poller.register(handle, select.POLLIN)
        poller.poll(max(0.0, until - time.monotonic()) * 1000 + 1)
    finally:
        for handle in handles:
            os.close(handle)


def tail(path: Path, lines: int) -> list[str]:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - lines * 1000))
        return file.read().decode(errors="replace").splitlines()[-lines:]


def main() -> int:
    chaos = Chaos(arguments())
    chaos.run()
    if chaos.problems:
        chaos.explain()
    else:
        shutil.rmtree(chaos.chosen.work)
    print(json.dumps(chaos.summary), flush=True)
    return 1 if chaos.problems else 0


if __name__ == "__main__":
    sys.exit(main())
