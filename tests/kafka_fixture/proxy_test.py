#!/usr/bin/env python3
"""What a test believes of a distance, a bottleneck and a cut, asked of the proxy. Upper bounds would test the machine."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import unittest

from node import free_ports
from proxy import Proxy


class proxy_test(unittest.TestCase):
    def setUp(self) -> None:
        """A server that answers with what it is told."""
        with free_ports(2) as (self.listen, self.to):
            self.server = socket.create_server(("127.0.0.1", self.to))
        self.addCleanup(self.server.close)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                threading.Thread(target=self._echo, args=(self.server.accept()[0],), daemon=True).start()
            except OSError:
                return

    @staticmethod
    def _echo(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(1 << 16):
                connection.sendall(data)

    def proxy(self, **how: float) -> Proxy:
        return self.enterContext(Proxy(self.listen, self.to, **how))

    def connect(self) -> socket.socket:
        return self.enterContext(socket.create_connection(("127.0.0.1", self.listen), timeout=30))

    @staticmethod
    def answer_to(connection: socket.socket, question: bytes) -> bytes:
        writing = threading.Thread(target=connection.sendall, args=(question,), daemon=True)
        writing.start()
        answer = bytearray()
        while len(answer) < len(question) and (data := connection.recv(1 << 16)):
            answer += data
        writing.join(30)
        return bytes(answer)

    def seconds_for(self, connection: socket.socket, question: bytes) -> float:
        began = time.monotonic()
        self.assertEqual(self.answer_to(connection, question), question)
        return time.monotonic() - began

    def test_passes_everything_on_as_it_is(self) -> None:
        self.proxy(delay=0.01)
        question = os.urandom(20_000_000)
        self.assertEqual(self.answer_to(self.connect(), question), question)

    def test_a_delay_is_taken_each_way(self) -> None:
        self.proxy(delay=0.1)
        connection = self.connect()
        self.seconds_for(connection, b"?")
        self.assertGreaterEqual(self.seconds_for(connection, b"?"), 0.2)

    def test_connections_share_what_there_is(self) -> None:
        self.proxy(rate=1_000_000)
        both = [self.connect(), self.connect()]
        began = time.monotonic()
        asking = [threading.Thread(target=self.answer_to, args=(each, bytes(300_000))) for each in both]
        for each in asking:
            each.start()
        for each in asking:
            each.join()
        self.assertGreaterEqual(time.monotonic() - began, 0.6)

    def test_a_window_takes_a_round_trip(self) -> None:
        self.proxy(delay=0.3)
        connection = self.connect()
        self.seconds_for(connection, b"?")
        self.assertGreaterEqual(self.seconds_for(connection, bytes(48 << 20)), 1.8)

    def test_silence_is_told_to_nobody(self) -> None:
        proxy = self.proxy()
        known = self.connect()
        self.assertEqual(self.answer_to(known, b"?"), b"?")
        proxy.tell("silence")
        new = self.connect()
        for each in (known, new):
            each.sendall(b"!")
            each.settimeout(0.2)
            self.assertRaises(TimeoutError, each.recv, 1)
            each.settimeout(30)
        proxy.tell("pass")
        for each in (known, new):
            self.assertEqual(each.recv(1), b"!")

    def test_a_refusal_is_told_to_everybody(self) -> None:
        proxy = self.proxy()
        known = self.connect()
        self.assertEqual(self.answer_to(known, b"?"), b"?")
        proxy.tell("refuse")
        self.assertEqual(known.recv(1), b"")
        self.assertRaises(ConnectionRefusedError, self.connect)
        proxy.tell("pass")
        self.assertEqual(self.answer_to(self.connect(), b"?"), b"?")

    def test_silence_may_end_in_a_refusal(self) -> None:
        proxy = self.proxy()
        known = self.connect()
        self.assertEqual(self.answer_to(known, b"?"), b"?")
        proxy.tell("silence")
        proxy.tell("refuse")
        self.assertEqual(known.recv(1), b"")
        proxy.tell("pass")
        self.assertEqual(self.answer_to(self.connect(), b"?"), b"?")


if __name__ == "__main__":
    sys.exit(unittest.main())
