"""Runs the replicator by its command line and looks at what it prints and how it ends.

    command_line.py [GROUP[.TEST] ...] --replicator build/dev/examples/replicator/replicator

A group is a class below; without one all of them run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from dataclasses import dataclass
from pathlib import Path

from broker import Broker

PROGRAM = Path()
STOP_LIMIT = 30.0

# Nobody listens at these.
CLUSTERS = """\
clusters:
  tokyo: {bootstrap.servers: "127.0.0.1:1"}
  osaka: {bootstrap.servers: "127.0.0.1:2"}
  virginia: {bootstrap.servers: "127.0.0.1:3"}
"""
LEAST = "application: sync\nhome: tokyo\ntargets: [osaka, virginia]\ntopics: {include: [orders]}\n" + CLUSTERS

EVERYTHING = """\
application: cross-region-sync
instance: ${HOSTNAME:-one}
home: tokyo
targets: [osaka, virginia]
clusters:
  tokyo: {bootstrap.servers: "127.0.0.1:1,127.0.0.1:4", security.protocol: SASL_SSL, sasl.mechanism: PLAIN, sasl.username: sync, sasl.password: "${file:password}"}
  osaka: {bootstrap.servers: "127.0.0.1:2", linger.ms: 0.5}
  virginia: {bootstrap.servers: "[::1]:3"}
topics:
  include: [orders, "payments\\\\..*"]
  exclude: ["__.*", "payments\\\\.test"]
  rename: "{source}.{topic}"
  partitions: by_key
  create: false
  sync_settings: [retention.ms, cleanup.policy]
events:
  source: /source
  type: /detail-type
  critical_sources: [genai-demo.customer]
  consistency_types: [EntityCreated, EntityDeleted]
  malformed: skip
guarantee: at_least_once
commit_every: 250ms
lanes: 64
state: ./elsewhere
log: {level: debug, format: json}
"""


@dataclass
class Ended:
    code: int
    out: str
    err: str


class Running:
    """A replicator that runs until it is told to stop."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.log = ""

    def wait_for(self, pattern: str, limit: float = 20.0) -> re.Match[str]:
        """The first place in the log where `pattern` is found."""
        until = time.monotonic() + limit
        assert self.process.stderr is not None
        while not (found := re.search(pattern, self.log)):
            readable, _, _ = select.select([self.process.stderr], [], [], until - time.monotonic())
            more = os.read(self.process.stderr.fileno(), 1 << 16) if readable else b""
            if not more:
                raise AssertionError(f"nothing like {pattern!r} was logged:\n{self.log}")
            self.log += more.decode()
        return found

    def stop(self, how: signal.Signals) -> int:
        """How it ends."""
        self.process.send_signal(how)
        _, rest = self.process.communicate(timeout=STOP_LIMIT)
        self.log += rest.decode()
        return self.process.returncode


class Case(unittest.TestCase):
    """One test, in an empty folder of its own."""

    maxDiff = None

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="replicator-")))
        self.write("password", "hunter2\n")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def call(self, *words: str, variables: dict[str, str] | None = None, given: bytes = b"") -> Ended:
        done = subprocess.run([PROGRAM, *words], cwd=self.folder, env=variables or {}, input=given, capture_output=True,
                              timeout=60, check=False)
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *words: str, variables: dict[str, str] | None = None) -> Running:
        process = self.enterContext(
            subprocess.Popen([PROGRAM, *words], cwd=self.folder, env=variables or {}, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
        self.addCleanup(process.kill)
        return Running(process)

    def lint(self, text: str, *words: str, variables: dict[str, str] | None = None) -> Ended:
        self.write("sync.yaml", text)
        return self.call("lint", "--config", "sync.yaml", *words, variables=variables)

    def describe(self, text: str, *words: str, variables: dict[str, str] | None = None) -> str:
        """The topology that this configuration makes."""
        self.write("sync.yaml", text)
        done = self.call("describe", "--config", "sync.yaml", *words, variables=variables)
        self.assertEqual((done.code, done.err), (0, ""))
        return done.out

    def assert_refused(self, done: Ended, *lines: str) -> None:
        """Exactly these problems, in this order, nothing else, exit 2."""
        self.assertEqual(done.err.splitlines(), list(lines))
        self.assertEqual((done.code, done.out), (2, ""))

    def assert_refused_in(self, text: str, *problems: str) -> None:
        """Each problem begins with the text at whose beginning it has to be placed."""
        expected = []
        for problem in problems:
            place, told = problem.split(" => ")
            before = text[:text.index(place)]
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            expected.append(f"sync.yaml:{line}:{column}: error: {told}")
        self.assert_refused(self.lint(text), *expected)


class keys(Case):
    """Every key of the file: what it does where that shows without a cluster, and what is said of a bad value."""

    def test_a_file_with_every_key_is_good(self) -> None:
        done = self.lint(EVERYTHING)
        self.assertEqual((done.code, done.out, done.err), (0, "sync.yaml: good\n", ""))

    def test_a_file_with_the_least_is_good(self) -> None:
        self.assertEqual(self.lint(LEAST).out, "sync.yaml: good\n")

    def test_application(self) -> None:
        self.assertEqual(self.describe(EVERYTHING).splitlines()[0], "cross-region-sync")
        self.assert_refused_in(
            LEAST.replace("sync", "my app"), "my app => \"my app\" cannot be part of a name on Kafka "
            "(use 1 to 100 letters, digits, dots, dashes or underscores)")

    def test_instance(self) -> None:
        self.assertEqual(self.lint(LEAST + "instance: pod-7.zone_a\n").code, 0)
        self.assertEqual(self.lint(LEAST + "instance: ${HOSTNAME:-}\n").code, 0)
        self.assert_refused_in(
            LEAST + "instance: number/1\n", "number/1 => \"number/1\" cannot be part of a name on Kafka "
            "(use 1 to 100 letters, digits, dots, dashes or underscores)")

    def test_home(self) -> None:
        self.assert_refused_in(LEAST.replace("home: tokyo", "home: tokio"),
                               "tokio => home tokio is not among the clusters (did you mean tokyo?)")
        self.assert_refused_in(
            LEAST.replace("home: tokyo", "home: mars"),
            "mars => home mars is not among the clusters (add it there; known are osaka, tokyo or virginia)")

    def test_targets(self) -> None:
        self.assertIn(" on osaka, virginia\n", self.describe(LEAST))
        self.assert_refused_in(
            LEAST.replace("[osaka, virginia]", "[osake, tokyo, virginia, virginia ]"),
            "osake => target osake is not among the clusters (did you mean osaka?)",
            "tokyo, v => target tokyo is the home cluster, and what is written there would be read again "
            "(take it out of targets, or rename topics to what is not included)",
            "virginia ] => target virginia is named twice (name it once)")
        self.assert_refused_in(LEAST.replace("[osaka, virginia]", "[]"),
                               "[] => there is no target (name at least one of the clusters)")

    def test_clusters(self) -> None:
        clusters = """\
clusters:
  tokyo: {bootstrap.servers: "127.0.0.1:1;127.0.0.1:2", linger.sm: 7}
  osaka: {security.protocol: tsl, max.request.size: 1}
  virginia: {bootstrap.servers: "127.0.0.1:3", group.id: mine, retry.backoff.ms: 5s}
"""
        self.assert_refused_in(
            LEAST.replace(CLUSTERS, clusters),
            "\"127.0.0.1:1; => bootstrap.servers has an address that is no host:port (write \"host:port,host:port\")",
            "7} => linger.sm is no property of librdkafka (did you mean linger.ms?)",
            "{security => cluster osaka has no bootstrap.servers (add them, as \"host:port,host:port\")",
            "tsl => security.protocol has a value that librdkafka does not take "
            "(write plaintext, ssl, sasl_plaintext or sasl_ssl)",
            "1}\n  virginia => max.request.size is a property of Java clients (write message.max.bytes)",
            "mine => group.id is not yours to set: flow names and times the members of its groups itself "
            "(leave it out)",
            "5s => retry.backoff.ms has a value that librdkafka does not take (write a number from 1 to 300000)")

    def test_clusters_whose_properties_do_not_fit(self) -> None:
        clusters = """\
clusters:
  tokyo: {bootstrap.servers: "127.0.0.1:1", security.protocol: ssl, ssl.ca.location: /no/such/file}
  osaka: {bootstrap.servers: "127.0.0.1:2", security.protocol: sasl_plaintext, sasl.mechanism: PLAIN, sasl.password: hidden}
  virginia: {bootstrap.servers: "127.0.0.1:3"}
"""
        self.lint(LEAST.replace(CLUSTERS, clusters))
        for verb in ("lint", "run"):
            done = self.call(verb, "--config", "sync.yaml")
            self.assertEqual(done.code, 2)
            self.assertIn("error: the properties of cluster tokyo cannot be used together: ssl.ca.location", done.err)
            self.assertIn("error: the properties of cluster osaka cannot be used together: sasl.username", done.err)
            self.assertNotIn("hidden", done.err)

    def test_clusters_left_out(self) -> None:
        self.assert_refused(
            self.lint(LEAST.replace(CLUSTERS, "")), "sync.yaml:1:1: error: clusters: no cluster is described "
            "(add each by its name, with its bootstrap.servers)")

    def test_topics_include(self) -> None:
        self.assertIn("from orders, payments\\..* but not", self.describe(EVERYTHING))
        self.assert_refused_in(
            LEAST.replace("[orders]", "[orders, \"a(b\", my orders, lanes.internal, __consumer_offsets]"),
            "\"a(b\" => \"a(b\" is neither the name of a topic nor a regular expression "
            "(mend it, or escape what is meant literally; there are no look-arounds and no back-references)",
            "my orders => \"my orders\" is neither the name of a topic nor a regular expression "
            "(mend it, or escape what is meant literally; there are no look-arounds and no back-references)",
            "lanes.internal => topic lanes.internal is internal, and never replicated (leave it out)",
            "__consumer => topic __consumer_offsets is internal, and never replicated (leave it out)")
        self.assert_refused_in(LEAST.replace("[orders]", "[\"\", orders]"),
                               "\"\" => \"\" is no name of a topic (name it, or leave it out)")
        self.assert_refused_in(LEAST.replace("[orders]", "[]"),
                               "[] => there is no topic to replicate (name one, or a pattern of several)")

    def test_topics_include_by_a_flag(self) -> None:
        self.assertIn(" from a{1,2}, [b,c] ", self.describe(LEAST, "--topics.include", "a{1,2},[b,c]"))

    def test_topics_of_letters(self) -> None:
        self.assert_refused_in(
            LEAST.replace("[orders]", "[orders, orders.dlq]") + "events: {}\n",
            "orders.dlq => 'dead letters to {topic}.dlq' writes to 'orders.dlq' on home, which is read as well "
            "(write to another topic, or exclude it from what is read)")

    def test_topics_exclude(self) -> None:
        self.assertIn(" but not __.*, payments\\.test ", self.describe(EVERYTHING))
        self.assert_refused_in(
            LEAST.replace("[orders]", "[orders, bills], exclude: [\"*\", \"b.*\"]"),
            "bills => topic bills is excluded as well (take it out of include or of exclude)",
            "\"*\" => \"*\" is neither the name of a topic nor a regular expression "
            "(mend it, or escape what is meant literally; there are no look-arounds and no back-references)")

    def test_topics_sync_settings(self) -> None:
        self.assertEqual(self.lint(LEAST.replace("[orders]", "[orders], sync_settings: []")).code, 0)
        self.assert_refused_in(
            LEAST.replace("[orders]", "[orders], sync_settings: [retention.ms, retention.sm, min.insync.replicas, colour]"),
            "retention.sm => \"retention.sm\" is no setting of a topic (did you mean retention.ms?)",
            "min.insync => \"min.insync.replicas\" is a matter of each cluster, and not synchronised "
            "(set it on the targets yourself)",
            "colour => \"colour\" is no setting of a topic (use those of Kafka, such as retention.ms)")

    def test_topics_rename(self) -> None:
        self.assertIn(" {source}.{topic} on osaka, virginia\n", self.describe(EVERYTHING))
        self.assert_refused_in(
            LEAST.replace("[orders]", "[orders], rename: \"{tpoic}\""),
            "\"{tpoic => \"{tpoic}\" makes no name for a topic "
            "(use {topic}, {source}, letters, digits, dots, dashes and underscores)")
        for internal in ("{topic}.internal", "__x"):
            self.assert_refused_in(
                LEAST.replace("[orders]", f"[orders], rename: \"{internal}\"").replace("sync", "my app"),
                "my app => \"my app\" cannot be part of a name on Kafka "
                "(use 1 to 100 letters, digits, dots, dashes or underscores)",
                f"\"{internal} => \"{internal}\" makes the name of an internal topic, which nobody reads "
                "(let it neither begin with __ nor end in .internal)")

    def test_topics_renamed_on_the_home_cluster(self) -> None:
        home_too = LEAST.replace("[osaka, virginia]", "[osaka, tokyo]")
        self.assertEqual(self.lint(home_too.replace("[orders]", "[orders], rename: \"{source}.{topic}\"")).code, 0)
        self.assert_refused_in(
            home_too.replace("[orders]", "[\".*\"], rename: \"{source}.{topic}\""),
            "tokyo]\ntopics => target tokyo is the home cluster, and what is written there would be read again "
            "(take it out of targets, or rename topics to what is not included)")

    def test_topics_partitions(self) -> None:
        for good in ("keep", "by_key"):
            self.assertEqual(self.lint(LEAST.replace("[orders]", f"[orders], partitions: {good}")).code, 0)
        self.assert_refused_in(LEAST.replace("[orders]", "[orders], partitions: by_kye"),
                               "by_kye => \"by_kye\" is not keep or by_key (did you mean by_key?)")

    def test_topics_create(self) -> None:
        self.assert_refused_in(LEAST.replace("[orders]", "[orders], create: maybe"),
                               "maybe => \"maybe\" is not true or false (write true or false)")

    def test_events(self) -> None:
        self.assertNotIn("business-events", self.describe(LEAST))
        self.assertIn("business-events", self.describe(LEAST + "events: {}\n"))
        self.assertIn("on failure skip", self.describe(LEAST + "events: {malformed: skip}\n"))
        self.assertNotIn("business-events", self.describe(LEAST + "events: none\n"))
        self.assert_refused_in(
            LEAST + "events: {source: source, type: /a~2, malformed: drop, kind: x}\n",
            "source, type => JSON pointer 'source', position 0: a pointer begins with '/' (write '/source')",
            "/a~2 => JSON pointer '/a~2', position 2: '~' stands only before 0 and 1 (write '~0' for '~' itself)",
            "drop => \"drop\" is not dead_letter, skip, replicate or stop (write one of them)",
            "kind => \"kind\" is not a setting of events "
            "(known here: source, type, critical_sources, consistency_types, rules, malformed or tombstones)")

    def test_places_of_events_that_are_no_places(self) -> None:
        self.assert_refused_in(
            LEAST + "events: {source: '', type: \"\"}\n",
            "'' => the whole value is never in a list of texts (point to a member of it, such as /source)",
            "\"\"}\n => the whole value is never in a list of texts (point to a member of it, such as /source)")
        self.assert_refused_in(LEAST + "dedup: {id: \"${EVENT_ID:-}\"}\n",
                               "\"${EVENT => the whole value is never an id (point to a member of it, such as /id)")

    def test_events_of_which_all_was_commented_out(self) -> None:
        self.assertIn("sync.yaml:", self.lint(LEAST + "events:\n  # critical_sources: [billing]\n").err)
        self.assertIn("events has nothing in it (give its settings, or write \"events: none\")",
                      self.lint(LEAST + "events:\n").err)
        self.assertEqual(self.lint(LEAST + "events: none\n").code, 0)

    def test_events_of_no_interest(self) -> None:
        self.assert_refused_in(
            LEAST + "events: {critical_sources: [], consistency_types: []}\n",
            "{critical => no event is of interest "
            "(name some in critical_sources or consistency_types, or leave events out to replicate all)")

    def test_malformed_events(self) -> None:
        self.assertIn("on failure dead_letter({topic}.dlq)", self.describe(LEAST + "events: {}\n"))
        self.assertIn("on failure dead_letter(letters)",
                      self.describe(LEAST + "events: {}\non_failure: {dead_letter: letters}\n"))
        self.assertNotIn("on failure", self.describe(LEAST + "events: {malformed: stop}\n"))

    def test_dedup(self) -> None:
        self.assertNotIn("dedup", self.describe(LEAST))
        self.assertIn("seen", self.describe(LEAST + "dedup: {id: /detail/id, window: 7d}\n"))
        self.assert_refused_in(
            LEAST + "dedup: {id: id, window: 0s}\n",
            "id, => JSON pointer 'id', position 0: a pointer begins with '/' (write '/id')",
            "0s => the window has no length that makes sense (give one of up to 366d, such as 24h)")
        self.assertIn("seen", self.describe(LEAST + "dedup: {id: /id, memory: 64MiB}\n"))
        self.assert_refused_in(LEAST + "dedup: {memory: 1kB}\n",
                               "1kB => \"1kB\" is too little (write 1MiB to 1TiB)")

    def test_on_failure(self) -> None:
        self.assertIn("on failure retry(3).then(dead_letter(x.dlq))", self.describe(
            LEAST + "on_failure: {policy: dead_letter, dead_letter: x.dlq, retries: 3}\n"))
        self.assertIn("on failure skip", self.describe(LEAST + "on_failure: {policy: skip}\n"))
        self.assert_refused_in(
            LEAST + "on_failure: {policy: park, retries: -1, dead_letter: \"a b\", backoff: {from: 2s, to: 1s}}\n",
            "park, => \"park\" is not stop, skip, dead_letter or park_key (write one of them)",
            "-1 => less than no retries (give 0 or more)",
            "\"a b => \"a b\" makes no name for a topic "
            "(use {topic}, {source}, letters, digits, dots, dashes and underscores)",
            "{from => the pauses do not grow from from to to (give two times, such as {from: 100ms, to: 30s})")

    def test_dead_letters_among_records(self) -> None:
        self.assert_refused_in(
            LEAST + "on_failure: {policy: dead_letter, dead_letter: \"{topic}\"}\n",
            "\"{topic}\" => 'regions' writes dead letters to 'orders', where it writes records as well "
            "(give the letters a topic of their own, such as {topic}.dlq)")
        self.assert_refused(
            self.lint(LEAST + "on_failure: {policy: park_key}\n"
                      "events: {rules: [{name: aside, route: orders.dlq}], malformed: skip}\n"),
            "sync.yaml: error: 'regions' writes dead letters to 'orders.dlq', where 'regions.aside' writes records "
            "as well (give the letters a topic of their own, such as {topic}.dlq)")

    def test_guarantee(self) -> None:
        self.assert_refused_in(LEAST + "guarantee: exactly\n",
                               "exactly => \"exactly\" is not exactly_once or at_least_once (write one of them)")

    def test_commit_every(self) -> None:
        self.assert_refused_in(LEAST + "commit_every: 100\n", "100 => \"100\" has no unit (write 100ms or 100s)")
        self.assert_refused_in(LEAST + "commit_every: 6s\n", "6s => \"6s\" is too much (write 1ms to 5s)")

    def test_memory(self) -> None:
        self.assert_refused_in(LEAST + "memory: 1MiB\n", "1MiB => \"1MiB\" is too little (write 16MiB to 1TiB)")
        self.assert_refused_in(LEAST + "threads: 64\n" + "memory: 100MiB\n",
                               "100MiB => memory of 100MiB is too little for threads: 64 with targets: 2 "
                               "(give 416MiB, or fewer threads)")

    def test_lanes(self) -> None:
        self.assert_refused_in(LEAST + "lanes: 0\n", "0\n => \"0\" is too little (write 1 to 10000)")

    def test_log(self) -> None:
        self.assert_refused_in(LEAST + "log: {level: inf, format: xml}\n",
                               "inf => \"inf\" is not trace, debug, info, warn or error (did you mean info?)",
                               "xml => \"xml\" is not text or json (write one of them)")


class rules(Case):
    """What `events.rules` may say, and what is said of mistakes."""

    GOOD = LEAST + """\
events:
  tombstones: drop
  malformed: skip
  rules:
    - name: tests
      action: exclude
      when: {at: header env, is: test}
    - name: audit
      route: "{topic}.audit"
      when:
        all:
          - {at: topic, matches: "orders.*"}
          - any:
              - {at: /detail/cents, at_least: 100, below: 1e3}
              - {at: /kind, any_of: [A, "5", 5, true, "false"]}
        none:
          - {at: /test, exists: true}
          - {at: key, exists: false}
    - {name: other, action: include, when: {at: /n, above: 0.5, at_most: 9, is_not: 7}}
    - {name: rest, action: include}
"""

    def with_rules(self, *lines: str) -> str:
        return LEAST + "events:\n  rules:\n" + "".join(f"    - {line}\n" for line in lines)

    def test_every_question_can_be_asked(self) -> None:
        text = self.describe(self.GOOD)
        for told in (
                "exclude tests if header_value(\"env\") == \"test\"; ",
                "route audit if topic_name().matches(\"orders.*\") && "
                "((json::at(\"/detail/cents\") < 1e3 && json::at(\"/detail/cents\") >= 100) || "
                "json::at(\"/kind\").any_of({\"A\", \"5\", 5, true, \"false\"})) && "
                "!json::at(\"/test\").exists() && !!key_bytes().exists(); ",
                "include other if json::at(\"/n\") != 7 && json::at(\"/n\") <= 9 && json::at(\"/n\") > 0.5; ",
                "include rest; drop tombstones, on failure skip  -> included: regions, audit: regions.audit\n",
                "regions.audit    fan_out {topic}.audit on osaka, virginia\n"):
            self.assertIn(told, text)

    def test_without_them_the_other_keys_make_the_only_one(self) -> None:
        self.assertIn(
            "split include business-events if "
            "json::at(\"/source\").any_of({\"x\"}) || json::at(\"/t\").any_of({\"y\"})",
            self.describe(LEAST + "events: {critical_sources: [x], type: /t, consistency_types: [y]}\n"))

    def test_mistakes_in_the_order(self) -> None:
        self.assert_refused_in(
            self.with_rules("{name: some, action: exclude, when: {at: /a, is: 1}}", "{name: rest, action: exclude}",
                            "{name: some, action: exclude, when: {at: /b, is: 1}}"),
            "- {name: some => no rule includes anything "
            "(add one, such as {name: rest, action: include} for what is left)",
            "{name: some, action: exclude, when: {at: /b => this rule is never asked, since rule rest above it decides "
            "about every event (move it up, or give that one a condition)",
            "some, action: exclude, when: {at: /b => rule some is there twice (give it another name)")

    def test_what_comes_behind_a_mistake_is_not_one(self) -> None:
        self.assert_refused_in(
            self.with_rules("{name: first, action: includes}", "{action: include}", "{name: rest, action: include}"),
            "includes => \"includes\" is not include or exclude (did you mean include?)",
            "{action: include => events.rules[1].name is missing (add \"name: ...\")")

    def test_what_is_misspelt_is_told_once(self) -> None:
        self.assert_refused_in(
            self.with_rules("{name: some, action: include, wen: {at: /a, is: 1}}", "{nam: more, action: exclude}",
                            "{name: idle, then: include}", "{name: odd, action: include, if: {at: /b, is: 1}}",
                            "{name: many, action: include, when: {at: /c, equals: 1}}",
                            "{name: few, action: include, when: {eqals: 1}}", "{name: rest, action: include}"),
            "wen => \"wen\" is not a setting of events.rules[0] (did you mean when?)",
            "nam: => \"nam\" is not a setting of events.rules[1] (did you mean name?)",
            "then => \"then\" is not a setting of events.rules[2] (did you mean when?)",
            "if => \"if\" is not a setting of events.rules[3] (known here: name, action, route or when)",
            "equals => \"equals\" is not a setting of events.rules[4].when (known here: at, exists, is, is_not, below, "
            "at_most, above, at_least, any_of, matches, all, any or none)",
            "eqals => \"eqals\" is not a setting of events.rules[5].when (known here: at, exists, is, is_not, below, "
            "at_most, above, at_least, any_of, matches, all, any or none)")
        self.assert_refused_in(LEAST.replace("targets", "target"),
                               "target: => \"target\" is not a setting (did you mean targets?)")
        self.assert_refused_in(LEAST.replace("include", "includes"),
                               "includes => \"includes\" is not a setting of topics (did you mean include?)")

    def test_mistakes_in_a_rule(self) -> None:
        self.assert_refused_in(
            self.with_rules("{name: a b, action: excluded, when: {at: /a, is: 1}}",
                            "{name: otherwise, action: include, when: {at: /a, is: 2}}",
                            "{name: idle, when: {at: /a, is: 3}}",
                            "{name: both, action: include, route: r, when: {at: /a, is: 4}}",
                            "{name: bad, route: \"{tpoic}\", whn: {}, when: {at: /a, is: 5}}",
                            "{name: own, route: x.internal, when: [/a]}", "{action: include}"),
            "a b => \"a b\" cannot be the name of a rule (use 1 to 92 letters, digits, dots, dashes or underscores)",
            "excluded => \"excluded\" is not include or exclude (did you mean exclude?)",
            "otherwise => \"otherwise\" stands for what no rule decides about (give the rule another name)",
            "idle => rule idle does nothing (add \"action: include\", \"action: exclude\" or \"route: TOPIC\")",
            "r, when: {at: /a, is: 4 => rule both has a route beside an action (keep one of them)",
            "\"{tpoic => \"{tpoic}\" makes no name for a topic "
            "(use {topic}, {source}, letters, digits, dots, dashes and underscores)",
            "whn => \"whn\" is not a setting of events.rules[4] (did you mean when?)",
            "x.internal => \"x.internal\" makes the name of an internal topic, which nobody reads "
            "(let it neither begin with __ nor end in .internal)",
            "[/a => events.rules[5].when has to be a mapping, not a list (write a mapping)",
            "{action: include} => events.rules[6].name is missing (add \"name: ...\")")

    def test_the_whole_value_only_exists(self) -> None:
        for asked in ("is: x", "any_of: [x]", "matches: x", "below: 5"):
            self.assert_refused_in(
                self.with_rules(f"{{name: r, action: include, when: {{at: \"\", {asked}}}}}"),
                "\"\" => the whole value is never a text, a number or a truth value "
                "(point to a member of it, such as /type, or ask whether it exists)")
        for asked in ("exists: true", "is_not: x"):
            self.assertEqual(
                self.lint(self.with_rules(f"{{name: r, action: include, when: {{at: \"\", {asked}}}}}")).code, 0)

    def test_mistakes_in_conditions(self) -> None:
        conditions = ("{at: source, is: 007}", "{at: /a~2, matches: \"(\", mathces: x}", "{is: One}", "{at: /n}", "{}",
                      "{any: []}", "{at: /a, below: true, any_of: []}", "{none: [{all: [{at: header, is_not: True}]}]}",
                      "{at: /many, any_of: 1.2.3}")
        self.assert_refused_in(
            self.with_rules(*(f"{{name: r{i}, action: include, when: {when}}}" for i, when in enumerate(conditions))),
            "source, is => source is no JSON pointer, and not header NAME, key or topic "
            "(write /source for a member of the value)",
            "007 => \"007\" is no number, true or false as JSON writes them "
            "(write it as JSON does, or put it in quotes if it is a text)",
            "/a~2 => JSON pointer '/a~2', position 2: '~' stands only before 0 and 1 (write '~0' for '~' itself)",
            "\"(\" => regular expression '(': missing ): ( (mend it, or escape what is meant literally; "
            "there are no look-arounds and no back-references)",
            "mathces => \"mathces\" is not a setting of events.rules[1].when (did you mean matches?)",
            "{is: One => it is not said what this asks about "
            "(add \"at: /...\", a JSON pointer, or header NAME, key or topic)",
            "/n}} => nothing is asked about /n "
            "(add exists: true, is: ..., any_of: [...], matches: ... or a comparison; null is nothing to compare with)",
            "{}} => there is no condition in this, so it would be true of every event (add one, or leave it out)",
            "[]}}\n    - {name: r6 => there is no condition in this list (add one, or leave it out)",
            "true, any_of => true has no order (compare with a number or a text, or ask with is)",
            "[]}}\n    - {name: r7 => any_of names nothing, so it would never hold (name what it may be)",
            "header, is_not => header is no JSON pointer, and not header NAME, key or topic "
            "(write header and its name, or /header for a member of the value)",
            "True => \"True\" is no number, true or false as JSON writes them "
            "(write it as JSON does, or put it in quotes if it is a text)",
            "1.2.3 => events.rules[8].when.any_of has to be a list, not a text (write [1.2.3])")

    def test_keys_that_mean_nothing_beside_them(self) -> None:
        only = "{name: all, action: include}"
        self.assert_refused_in(
            self.with_rules(only) + "  source: /other\n  consistency_types: []\n",
            "/other => this means nothing beside rules (leave it out, or write it as a rule)",
            "[]\n => this means nothing beside rules (leave it out, or write it as a rule)")
        self.assertEqual(self.lint(self.with_rules(only) + "  malformed: skip\n").code, 0)

    def test_of_which_none_is_left(self) -> None:
        self.assertIn("there is no rule", self.lint(LEAST + "events: {rules: []}\n").err)
        self.assert_refused_in(
            LEAST + "events:\n  rules:\n    # - {name: all, action: include}\n",
            "rules:\n    # => events.rules has no value (write a list such as [{...}], or remove it)")
        self.assertIn("include business-events", self.describe(LEAST + "events: {rules: none}\n"))

    def test_routes_on_the_home_cluster(self) -> None:
        home_too = self.with_rules("{name: audit, route: orders}").replace("virginia]", "tokyo]").replace(
            "[orders]", "[orders], rename: \"copy.{topic}\"")
        self.assertEqual(self.lint(home_too.replace("route: orders", "route: audit")).code, 0)
        self.assert_refused_in(
            home_too, "orders}\n => rule audit routes to what would be read again, since home is a target as well "
            "(route to a topic that is not included)")

    def test_tombstones(self) -> None:
        self.assertEqual(self.lint(LEAST + "events: {tombstones: replicate}\n").code, 0)
        self.assertIn("; drop tombstones", self.describe(LEAST + "events: {tombstones: drop}\n"))
        self.assert_refused_in(LEAST + "events: {tombstones: keep}\n",
                               "keep => \"keep\" is not replicate or drop (write one of them)")

    def test_a_secret_is_never_shown(self) -> None:
        done = self.lint(
            self.with_rules("{name: all, action: include, "
                            "when: {at: \"${file:password}\", matches: \"(${file:password}\"}}"))
        self.assertEqual(done.code, 2)
        self.assertNotIn("hunter2", done.err)


class variables(Case):
    """The four variables that stand beside the file."""

    def test_aws_region_names_home(self) -> None:
        without = LEAST.replace("home: tokyo\n", "")
        self.assertEqual(self.lint(without, variables={"AWS_REGION": "tokyo"}).code, 0)
        self.assert_refused(
            self.lint(without, variables={"AWS_REGION": "mars"}),
            "environment AWS_REGION: error: home mars is not among the clusters "
            "(add it there; known are osaka, tokyo or virginia)")

    def test_target_regions_are_a_list(self) -> None:
        without = LEAST.replace("targets: [osaka, virginia]\n", "")
        name = "KAFKA_CROSS_REGION_TARGET_REGIONS"
        self.assertIn(" on virginia, osaka\n", self.describe(without, variables={name: "virginia, osaka"}))
        self.assert_refused(
            self.lint(without, variables={name: "osaka,,virgina"}),
            f"environment {name}: error: targets has an empty item (remove a \",\")",
            f"environment {name}: error: target virgina is not among the clusters (did you mean virginia?)")

    def test_bootstrap_servers_are_those_of_home(self) -> None:
        for without in (LEAST.replace("  tokyo: {bootstrap.servers: \"127.0.0.1:1\"}\n", ""),
                        LEAST.replace("  tokyo: {bootstrap.servers: \"127.0.0.1:1\"}\n", "  tokyo: {}\n")):
            self.assertEqual(self.lint(without).code, 2)
            self.assertEqual(self.lint(without, variables={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}).code, 0)
        self.assert_refused(
            self.lint(LEAST, variables={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:x"}),
            "environment KAFKA_BOOTSTRAP_SERVERS: error: \"127.0.0.1:x\" has an address that is no host:port "
            "(write \"host:port,host:port\")")

    def test_an_empty_variable_is_not_set(self) -> None:
        empty = {name: "" for name in ("AWS_REGION", "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_CROSS_REGION_ENABLED",
                                       "KAFKA_CROSS_REGION_TARGET_REGIONS")}
        self.assertEqual(self.lint(LEAST, variables=empty).code, 0)

    def test_any_variable_expands_in_the_file(self) -> None:
        text = LEAST.replace("[osaka, virginia]", "${REGIONS:-osaka}").replace("sync", "sync-${STAGE}")
        self.assertIn("sync-test\n", self.describe(text, variables={"STAGE": "test"}))
        self.assertIn(" on osaka\n", self.describe(text, variables={"STAGE": "test"}))
        self.assertIn(" on osaka, virginia\n",
                      self.describe(text, variables={"STAGE": "test", "REGIONS": "osaka,virginia"}))
        self.assert_refused_in(text, "sync- => ${STAGE} is not set (set the variable, or write ${STAGE:-default})")


class precedence(Case):
    """Flags win over variables, variables over the file, the file over defaults."""

    TARGETS = {"KAFKA_CROSS_REGION_TARGET_REGIONS": "virginia"}

    def test_the_file_wins_over_the_default(self) -> None:
        self.assertIn(" {topic} on osaka, virginia\n", self.describe(LEAST))
        renamed = LEAST.replace("[orders]", "[orders], rename: \"{topic}.copy\"")
        self.assertIn(" {topic}.copy on ", self.describe(renamed))

    def test_a_variable_wins_over_the_file(self) -> None:
        self.assertIn(" on virginia\n", self.describe(LEAST, variables=self.TARGETS))

    def test_a_flag_wins_over_both(self) -> None:
        self.assertIn(" on osaka\n", self.describe(LEAST, "--targets", "osaka", variables=self.TARGETS))
        self.assertIn(" on osaka, virginia\n",
                      self.describe(LEAST, "--targets=osaka", "--targets=virginia", variables=self.TARGETS))
        self.assertIn("elsewhere\n", self.describe(LEAST, "--application", "elsewhere"))
        self.assertIn(" from bills ", self.describe(LEAST, "--topics.include", "bills"))
        self.assertIn("business-events", self.describe(LEAST, "--events.type", "/type"))

    def test_a_bad_flag_is_told_as_such(self) -> None:
        self.assert_refused(self.lint(LEAST, "--lanes", "many", "--targets", "mars"),
                            "--lanes: error: \"many\" is not a whole number (write a whole number such as 10)",
                            "--targets: error: target mars is not among the clusters "
                            "(add it there; known are osaka, tokyo or virginia)")


class lint(Case):
    """A file with mistakes: all of them at once, each with its place and a remedy."""

    MISTAKES = """\
application: my app
instance: number/1
home: tokio
targets: [osaka, dublin, osaka]
clusters:
  tokyo: {bootstrap.servers: "127.0.0.1:1", linger.sm: 7}
  osaka: {bootstrap.servers: "127.0.0.1:2", group.id: mine, security.protocol: tsl}
  dublin: {}
topics:
  include: [orders, "a(b"]
  rename: "{tpoic}"
  partitons: keep
events: {source: source}
commit_every: 1m
commit_evry: 1s
lanes: 0
lanes: 1
start: 2026-02-30
state: ${STATE}
"""
    TOLD = """\
sync.yaml:1:14: error: "my app" cannot be part of a name on Kafka (use 1 to 100 letters, digits, dots, dashes or underscores)
sync.yaml:2:11: error: "number/1" cannot be part of a name on Kafka (use 1 to 100 letters, digits, dots, dashes or underscores)
sync.yaml:3:7: error: home tokio is not among the clusters (did you mean tokyo?)
sync.yaml:4:26: error: target osaka is named twice (name it once)
sync.yaml:6:56: error: linger.sm is no property of librdkafka (did you mean linger.ms?)
sync.yaml:7:55: error: group.id is not yours to set: flow names and times the members of its groups itself (leave it out)
sync.yaml:7:80: error: security.protocol has a value that librdkafka does not take (write plaintext, ssl, sasl_plaintext or sasl_ssl)
sync.yaml:8:11: error: cluster dublin has no bootstrap.servers (add them, as "host:port,host:port")
sync.yaml:10:21: error: "a(b" is neither the name of a topic nor a regular expression (mend it, or escape what is meant literally; there are no look-arounds and no back-references)
sync.yaml:11:11: error: "{tpoic}" makes no name for a topic (use {topic}, {source}, letters, digits, dots, dashes and underscores)
sync.yaml:12:3: error: "partitons" is not a setting of topics (did you mean partitions?)
sync.yaml:13:18: error: JSON pointer 'source', position 0: a pointer begins with '/' (write '/source')
sync.yaml:14:15: error: "1m" has an unknown unit (write 1min or 1ms)
sync.yaml:15:1: error: "commit_evry" is not a setting (did you mean commit_every?)
sync.yaml:16:8: error: "0" is too little (write 1 to 10000)
sync.yaml:17:1: error: "lanes" is already given in line 16 (remove one of them)
sync.yaml:18:8: error: "2026-02-30" is no day of the calendar (count the days of its month)
sync.yaml:19:8: error: ${STATE} is not set (set the variable, or write ${STATE:-default})
"""

    def test_every_mistake_is_told_at_once(self) -> None:
        self.assert_refused(self.lint(self.MISTAKES), *self.TOLD.splitlines())

    def test_run_and_describe_say_the_same(self) -> None:
        self.write("sync.yaml", self.MISTAKES)
        for verb in ("run", "describe"):
            self.assert_refused(self.call(verb, "--config", "sync.yaml"), *self.TOLD.splitlines())

    def test_what_is_missing(self) -> None:
        self.assert_refused(
            self.lint(CLUSTERS), *(f"sync.yaml:1:1: error: {what}" for what in (
                "application is missing (add \"application: ...\" or give --application)",
                "home is missing (add \"home: ...\", give --home or set AWS_REGION)",
                "targets is missing (add \"targets: ...\", give --targets or set KAFKA_CROSS_REGION_TARGET_REGIONS)",
                "topics.include is missing (add \"include: ...\" or give --topics.include)")))

    def test_what_is_missing_with_all_clusters(self) -> None:
        done = self.lint("topics: {include: [orders], rename: __x}\n")
        self.assertEqual([line.split("error: ")[1].split(" (")[0] for line in done.err.splitlines()],
                         ["application is missing", "home is missing", "targets is missing",
                          "clusters: no cluster is described",
                          "\"__x\" makes the name of an internal topic, which nobody reads"])
        self.assertEqual(done.code, 2)
        self.assertIn("clusters: no cluster is described",
                      self.lint("home: tokyo\n", variables={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}).err)

    def test_mistakes_before_a_broken_line_are_told_with_it(self) -> None:
        self.assert_refused(
            self.lint("aplication: sync\n" + CLUSTERS.replace("bootstrap.servers: \"127.0.0.1:2\"", "linger.sm: 1") +
                      "home: \"tokyo\ntargets: [osaka]\n"),
            "sync.yaml:1:1: error: \"aplication\" is not a setting (did you mean application?)",
            "sync.yaml:4:22: error: linger.sm is no property of librdkafka (did you mean linger.ms?)",
            "sync.yaml:6:7: error: this quote is never closed (close it)")

    def test_no_file(self) -> None:
        done = self.call("run")
        self.assertEqual(done.code, 2)
        self.assertIn("--application: error: application is missing "
                      "(write it in a file for --config or give --application)\n", done.err)
        self.assert_refused(self.call("run", "--config"),
                            "--config: error: a value is missing (write the name of a file)")

    def test_a_file_that_is_not_there(self) -> None:
        self.assert_refused(self.call("lint", "--config", "nothing.yaml"),
                            "nothing.yaml:1:1: error: the file does not exist (check the path)")

    def test_a_secret_is_never_shown(self) -> None:
        secret = "\"${file:password}\""
        done = self.lint(
            LEAST.replace("home: tokyo", f"home: {secret}").replace("[osaka, virginia]", f"[osaka, {secret}]")
            .replace("[orders]", f"[{secret}], rename: {secret}, exclude: [{secret}]")
            .replace("bootstrap.servers: \"127.0.0.1:3\"",
                     f"bootstrap.servers: {secret}, security.protocol: {secret}, linger.ms: {secret}"))
        self.assertEqual(done.code, 2)
        self.assertNotIn("hunter2", done.err)
        for told in ("home *** is not", "target *** is not", "topic *** is excluded", "security.protocol has",
                     "linger.ms has"):
            self.assertIn(told, done.err)

    def test_nothing_is_made_or_reached(self) -> None:
        self.lint(LEAST)
        self.assertEqual(sorted(each.name for each in self.folder.iterdir()), ["password", "sync.yaml"])


class describe(Case):
    """The topology, in four forms."""

    def test_text_is_the_default(self) -> None:
        text = self.describe(EVERYTHING)
        self.assertEqual(text, self.describe(EVERYTHING, "--format", "text"))
        self.assertEqual([line.split()[0] for line in text.splitlines()],
                         ["cross-region-sync", "from-1", "business-events", "regions"])

    def test_mermaid(self) -> None:
        lines = self.describe(EVERYTHING, "--format", "mermaid").splitlines()
        self.assertEqual(lines[0], "flowchart LR")
        self.assertEqual([line.strip() for line in lines if "-->" in line], ["n0 --> n1", "n1 --> n2"])

    def test_dot(self) -> None:
        text = self.describe(EVERYTHING, "--format", "dot")
        self.assertTrue(text.startswith("digraph \"cross-region-sync\" {\n") and text.endswith("}\n"))
        self.assertIn("n1 -> n2;", text)

    def test_json(self) -> None:
        topology = json.loads(self.describe(EVERYTHING, "--format", "json"))
        self.assertEqual(topology["application"], "cross-region-sync")
        nodes = {node["name"]: node for node in topology["nodes"]}
        self.assertEqual([to["node"] for to in nodes["from-1"]["to"]], ["business-events"])
        self.assertEqual(nodes["regions"]["note"], "{source}.{topic} on osaka, virginia")

    def test_a_full_disk(self) -> None:
        self.write("sync.yaml", LEAST)
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PROGRAM, "describe", "--config", "sync.yaml"], cwd=self.folder, env={}, stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr),
                         (1, "replicator: error: the output could not be written (is the disk full?)\n"))

    def test_an_unknown_form(self) -> None:
        self.write("sync.yaml", LEAST)
        self.assert_refused(self.call("describe", "--config", "sync.yaml", "--format", "jsn"),
                            "--format: error: \"jsn\" is not text, mermaid, dot or json (did you mean json?)")


class explain(Case):
    """Which rule decides about an event, and what becomes of it."""

    def explain(self, text: str, given: bytes, *words: str) -> list[str]:
        self.write("sync.yaml", text)
        done = self.call("explain", "--config", "sync.yaml", *words, given=given)
        self.assertEqual((done.code, done.err), (0, ""))
        return done.out.splitlines()

    def test_the_rule_that_the_simple_keys_make(self) -> None:
        events = "events: {critical_sources: [shop.order], consistency_types: [EntityCreated]}\n"
        given = b'{"source": "shop.order"}\n{"detail-type":"EntityCreated","source":"x"}\n{"source":"x"}\n[]'
        self.assertEqual(
            self.explain(LEAST.replace("[orders]", "[orders], rename: \"{source}.{topic}\"") + events, given), [
                "1: replicated to tokyo.orders (rule business-events)",
                "2: replicated to tokyo.orders (rule business-events)",
                "3: not replicated (no rule is true of it)", "4: not replicated (no rule is true of it)"
            ])

    def test_rules_by_what_is_given_beside_the_events(self) -> None:
        def said(given: bytes, *words: str) -> str:
            line, = self.explain(rules.GOOD.replace("[orders]", "[orders, payments]"), given, *words)
            return line

        self.assertEqual(said(b'{"kind": 5}'), "1: replicated to orders (rule rest)")
        self.assertEqual(said(b'{"kind": 5}', "--key", "k"), "1: replicated to orders.audit (rule audit)")
        self.assertEqual(said(b'{"kind": "5"}', "--key", "k", "--headers", "trace=7,env=test"),
                         "1: not replicated (rule tests)")
        self.assertEqual(said(b'{"kind": 5}', "--key", "k", "--topic", "payments"),
                         "1: replicated to payments (rule rest)")
        self.assertEqual(said(b'{"n": 8}'), "1: replicated to orders (rule other)")

    def test_malformed_events_are_said_and_no_reason_to_end(self) -> None:
        given = b'{"source": x}\n\n{"source": "\xff"}\n{"source": "genai-demo.order"}\r\n' + b"[" * 5000 + b"\n"
        lines = self.explain(LEAST + "events: {malformed: skip}\n", given)
        self.assertEqual([re.sub(r"byte \d+: .*", "byte ...)", line) for line in lines], [
            "1: malformed, and events.malformed is skip (not JSON at byte ...)",
            "2: malformed, and events.malformed is skip (not JSON at byte ...)",
            "3: malformed, and events.malformed is skip (not JSON at byte ...)",
            "4: replicated to orders (rule business-events)",
            "5: malformed, and events.malformed is skip (not JSON at byte ...)"
        ])

    def test_a_dedup_reads_the_event_as_well(self) -> None:
        dedup = "dedup: {id: /id, window: 1h}\n"
        given = b'{"id": 1}\nbroken\n{}'
        malformed = r"2: malformed, and events.malformed is (\w+) \(not JSON at byte .*\)"
        first, second, third = self.explain(LEAST + dedup, given)
        self.assertEqual([first, third], [f"{line}: replicated to orders (there are no rules)" for line in (1, 3)])
        self.assertRegex(second, malformed)
        by_key = "events: {malformed: MALFORMED, rules: [{name: r, when: {at: key, exists: true}, action: include}]}\n"
        for policy in ("skip", "stop"):
            second = self.explain(LEAST + dedup + by_key.replace("MALFORMED", policy), given, "--key", "k")[1]
            self.assertEqual(re.fullmatch(malformed, second)[1], policy)
        second = self.explain(LEAST + dedup + by_key.replace("MALFORMED", "replicate"), given, "--key", "k")[1]
        self.assertEqual(second, "2: replicated to orders (rule r)")
        second = self.explain(LEAST + "events: {malformed: replicate}\n", given)[1]
        self.assertEqual(second, "2: replicated to orders (malformed, and events.malformed is replicate)")

    def test_without_rules_and_without_events(self) -> None:
        self.assertEqual(self.explain(LEAST, b"whatever"), ["1: replicated to orders (there are no rules)"])
        self.assertEqual(self.explain(LEAST + "events: {}\n", b""), [])

    def test_events_that_cannot_be_read(self) -> None:
        self.write("sync.yaml", LEAST)
        for given, why in (("</", "Is a directory"), ("<&-", "Bad file descriptor")):
            done = subprocess.run(["sh", "-c", f"exec \"$0\" explain --config sync.yaml {given}",
                                   PROGRAM], cwd=self.folder, env={}, capture_output=True, text=True, timeout=60,
                                  check=False)
            self.assertEqual((done.returncode, done.stdout, done.stderr),
                             (1, "", f"replicator: error: the events cannot be read: {why} "
                              "(give them as standard input)\n"))

    def test_a_topic_that_is_not_known(self) -> None:
        self.write("sync.yaml", LEAST.replace("[orders]", "[\"orders[.].*\"]"))
        self.assert_refused(
            self.call("explain", "--config", "sync.yaml"),
            "--topic: error: it is not known where the events are from, since topics.include names no topic, "
            "only patterns (name one of those that are replicated)")
        self.assert_refused(
            self.call("explain", "--config", "sync.yaml", "--topic", "orders-eu"),
            "--topic: error: topic orders-eu is not replicated, by topics.include and topics.exclude "
            "(name one that is)")
        self.assertEqual(self.call("explain", "--config", "sync.yaml", "--topic", "orders.eu", given=b"1").out,
                         "1: replicated to orders.eu (there are no rules)\n")

    def test_a_broken_configuration(self) -> None:
        self.write("sync.yaml", lint.MISTAKES)
        self.assert_refused(self.call("explain", "--config", "sync.yaml", given=b"{}"), *lint.TOLD.splitlines())


class usage(Case):
    """What is typed wrong, and what helps."""

    def test_an_unknown_option(self) -> None:
        self.assert_refused(self.lint(LEAST, "--topics.incldue", "bills"),
                            "--topics.incldue: error: no such option (did you mean --topics.include?)")
        self.assert_refused(self.call("demo", "--region", "3"),
                            "--region: error: no such option (did you mean --regions?)")
        self.assert_refused(self.call("--versoin"), "--versoin: error: no such option here (did you mean --version?)")

    def test_an_unknown_command(self) -> None:
        self.assert_refused(self.call("lnit"), "replicator: error: no command is called \"lnit\" (did you mean lint?)")

    def test_no_command(self) -> None:
        done = self.call()
        self.assertEqual((done.code, done.out), (2, ""))
        self.assertIn("usage: replicator COMMAND", done.err)

    def test_version(self) -> None:
        for words in (["--version"], ["run", "--version"]):
            done = self.call(*words)
            self.assertEqual((done.code, done.err), (0, ""))
            self.assertRegex(done.out, r"^replicator \d+\.\d+\.\d+\n$")

    def test_help_names_every_command_and_its_options(self) -> None:
        overview = self.call("--help")
        self.assertEqual((overview.code, overview.err), (0, ""))
        for verb, option in {"run": "--config", "lint": "--lanes", "describe": "--format", "demo": "--seconds",
                             "explain": "--topic"}.items():
            self.assertRegex(overview.out, rf"(?m)^  {verb} ")
            done = self.call(verb, "--help")
            self.assertEqual(done.code, 0)
            self.assertIn(option, done.out)
            self.assertIn(f"usage: replicator {verb} ", done.out)

    def test_help_names_every_key_and_variable(self) -> None:
        text = self.call("run", "--help").out
        for name in ("--application", "--instance", "--home", "--targets", "clusters", "--topics.include",
                     "--topics.exclude", "--topics.rename", "--topics.partitions", "--[no-]topics.create",
                     "--events.source", "--events.malformed", "--guarantee", "--commit-every", "--lanes", "--state",
                     "--log.level", "--log.format", "AWS_REGION", "KAFKA_BOOTSTRAP_SERVERS",
                     "KAFKA_CROSS_REGION_ENABLED", "KAFKA_CROSS_REGION_TARGET_REGIONS"):
            self.assertIn(name, text)


class disabled(Case):
    """KAFKA_CROSS_REGION_ENABLED=false: nothing is run, and nothing else has to be right."""

    OFF = {"KAFKA_CROSS_REGION_ENABLED": "false"}
    TOLD = "not enabled by environment KAFKA_CROSS_REGION_ENABLED: nothing is run\n"

    def assert_not_run(self, done: Ended) -> None:
        self.assertEqual((done.code, done.out, done.err), (0, self.TOLD, ""))
        self.assertFalse((self.folder / "state").exists())

    def test_with_a_whole_configuration(self) -> None:
        self.write("sync.yaml", LEAST + "log: {level: error}\n")
        self.assert_not_run(self.call("run", "--config", "sync.yaml", variables=self.OFF))

    def test_without_a_configuration(self) -> None:
        self.assert_not_run(self.call("run", variables=self.OFF))
        self.assert_not_run(self.call("run", "--config", "nothing.yaml", variables=self.OFF))

    def test_with_a_broken_configuration(self) -> None:
        self.write("sync.yaml", lint.MISTAKES + "home: [")
        self.assert_not_run(self.call("run", "--config", "sync.yaml", variables=self.OFF))

    def test_by_a_flag(self) -> None:
        done = self.call("run", "--no-enabled", variables={"KAFKA_CROSS_REGION_ENABLED": "true"})
        self.assertEqual((done.code, done.out), (0, "not enabled by --enabled: nothing is run\n"))

    def test_by_neither_true_nor_false(self) -> None:
        self.write("sync.yaml", LEAST)
        self.assert_refused(
            self.call("run", "--config", "sync.yaml", variables={"KAFKA_CROSS_REGION_ENABLED": "no"}),
            "environment KAFKA_CROSS_REGION_ENABLED: error: \"no\" is not true or false (write true or false)")

    def test_lint_still_judges(self) -> None:
        self.assertEqual(self.lint(LEAST, variables=self.OFF).code, 0)
        self.assertEqual(self.lint(lint.MISTAKES, variables=self.OFF).code, 2)


class run(Case):
    """Where no cluster answers: it says so, goes on, and ends when it is told to."""

    def test_says_that_home_cannot_be_reached_and_ends_well(self) -> None:
        self.write("sync.yaml", LEAST)
        running = self.start("run", "--config", "sync.yaml")
        running.wait_for(r"(?m)^.*\btokyo\b.*127\.0\.0\.1:1\b.*$")
        self.assertEqual(running.stop(signal.SIGTERM), 0)
        self.assertRegex(running.log, r"info +stopped\n$")
        self.assertTrue((self.folder / "state").is_dir())

    def test_ends_well_on_an_interrupt_as_well(self) -> None:
        self.write("sync.yaml", LEAST)
        running = self.start("run", "--config", "sync.yaml")
        running.wait_for("tokyo")
        self.assertEqual(running.stop(signal.SIGINT), 0)

    def test_reaches_for_the_servers_of_the_variable(self) -> None:
        self.write("sync.yaml", LEAST)
        running = self.start("run", "--config", "sync.yaml", variables={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"})
        running.wait_for(r"tokyo.*127\.0\.0\.1:9\b")
        self.assertEqual(running.stop(signal.SIGTERM), 0)
        self.assertNotIn("127.0.0.1:1/", running.log)

    def test_logs_as_json_and_keeps_its_state_where_it_is_told_to(self) -> None:
        self.write("sync.yaml", LEAST + "state: here/and/there\nlog: {format: json}\ninstance: one\n")
        running = self.start("run", "--config", "sync.yaml")
        running.wait_for("tokyo")
        self.assertEqual(running.stop(signal.SIGTERM), 0)
        self.assertTrue(all(isinstance(json.loads(line), dict) for line in running.log.splitlines()))
        self.assertTrue((self.folder / "here/and/there").is_dir())

    def test_logs_only_what_it_is_told_to(self) -> None:
        self.write("sync.yaml", LEAST + "log: {level: warn}\n")
        running = self.start("run", "--config", "sync.yaml")
        running.wait_for("tokyo")
        self.assertEqual(running.stop(signal.SIGTERM), 0)
        self.assertEqual({line.split()[2] for line in running.log.splitlines()}, {"warning"})

    def test_names_every_cluster_that_cannot_be_reached_at_once(self) -> None:
        self.write("sync.yaml", LEAST)
        running = self.start("run", "--config", "sync.yaml")
        for name, servers in {"tokyo": "127.0.0.1:1", "osaka": "127.0.0.1:2", "virginia": "127.0.0.1:3"}.items():
            told = f"{name}: cluster {name} cannot be reached at {servers} (check that the cluster is up and reachable"
            running.wait_for(re.escape(told))
        self.assertEqual(running.log.count("cannot be reached at"), 3)
        self.assertEqual(running.stop(signal.SIGTERM), 0)

    def test_does_not_write_to_its_home_by_another_name(self) -> None:
        with Broker("one-and-only", ["orders"]) as broker:
            both = LEAST.replace("127.0.0.1:1", broker.address).replace("127.0.0.1:2", broker.address)
            self.write("sync.yaml", both.replace("[osaka, virginia]", "[osaka]"))
            done = self.call("run", "--config", "sync.yaml")
        self.assertEqual(done.code, 1)
        self.assertIn("error osaka is the home cluster tokyo by another name, and what 'regions' writes to orders "
                      "there would be read again (take osaka out of the targets, or ", done.err)

    def test_says_why_it_cannot_use_its_state(self) -> None:
        self.write("sync.yaml", LEAST + "state: password\n")
        done = self.call("run", "--config", "sync.yaml")
        self.assertEqual(done.code, 1)
        self.assertIn("password", done.err)

    def test_says_what_to_do_about_its_state_before_the_next_start(self) -> None:
        self.write("sync.yaml", LEAST + "state: /proc/no/such/place\n")
        done = self.call("run", "--config", "sync.yaml")
        self.assertEqual(done.code, 1)
        self.assertRegex(done.err, r"error .*'/proc/no/such/place' cannot be used: .* and start again\)\n$")
        self.assertNotIn("by itself", done.err)


class demo(Case):
    """The whole system in one process."""

    def test_verifies_every_region(self) -> None:
        done = self.call("demo", "--seconds", "3", "--regions", "2")
        self.assertEqual((done.code, done.err), (0, ""), done.out)
        self.assertEqual(done.out.count("every accepted event is there exactly once, in order"), 2)
        self.assertRegex(done.out, r"(?m)^verified: [1-9]\d* events in 2 regions")

    def test_shows_everything_within_half_a_minute(self) -> None:
        begun = time.monotonic()
        done = self.call("demo")
        self.assertEqual((done.code, done.err), (0, ""), done.out)
        self.assertLess(time.monotonic() - begun, 30)
        happens = [r"^home [^,]+, 5 regions, ", r"^  \* region af-south-1 is cut off",
                   r"^  \* an event of customer-\d+ is too large for ap-northeast-1: that customer is parked there",
                   r"^  \* the worker has crashed and was started again", r"^  \* region af-south-1 is back",
                   r"^  \* region ap-northeast-1 takes larger events now: the dead letters are replayed",
                   r"^  ap-northeast-1: 1 parked customer released",
                   r"^  ap-southeast-1: [1-9]\d* malformed events set aside in business-events.dlq",
                   r"^  replicator verify: 36 partitions compared with home, none differs",
                   r"^verified: [1-9]\d* events in 5 regions, none of [1-9]\d* repetitions twice, "]
        places = []
        for each in happens:
            self.assertRegex(done.out, "(?m)" + each)
            places.append(re.search("(?m)" + each, done.out).start())
        self.assertEqual(places, sorted(places))

    def test_says_one_region(self) -> None:
        done = self.call("demo", "--seconds", "3", "--regions", "1")
        self.assertEqual((done.code, done.err), (0, ""), done.out)
        self.assertRegex(done.out, r"(?m)^home [^,]+, 1 region, ")
        self.assertRegex(done.out, r"(?m)^verified: [1-9]\d* events in 1 region, ")

    def test_refuses_what_it_cannot_show(self) -> None:
        self.assert_refused(self.call("demo", "--regions", "9", "--seconds", "1", "--speed", "2"),
                            "--regions: error: \"9\" is too much (write 1 to 5)",
                            "--seconds: error: \"1\" is too little (write 3 to 600)",
                            "--speed: error: no such option (did you mean --seed?)")


def main() -> int:
    global PROGRAM
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tests", nargs="*", metavar="GROUP[.TEST]")
    parser.add_argument("--replicator", type=Path, required=True)
    options = parser.parse_args()
    PROGRAM = options.replicator.resolve()
    module = sys.modules[__name__]
    loader = unittest.defaultTestLoader
    suite = loader.loadTestsFromNames(options.tests, module) if options.tests else loader.loadTestsFromModule(module)
    return 0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
