#!/usr/bin/env python3
"""A way to a broker that is long, narrow, or cut off.

    proxy.py LISTEN TO [--delay-ms 100] [--bytes-per-second 1000000] [--window 16777216]

Passes connections to port LISTEN on to port TO of this machine. What enters comes out --delay-ms later, in each
direction; all connections together get --bytes-per-second in each direction, by turns; and of each connection and
direction no more than --window bytes are on their way at once, counted until a round trip is over, as TCP does.

Says `ready`, then obeys its standard input line by line, and repeats each word when it is done:

    silence    nothing passes any more, and nobody is told: connections stay open, new ones are taken
    refuse     connections are closed, new ones refused
    pass       as in the beginning; what was held up by silence goes on

Ends with its input.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from pathlib import Path

CHUNK = 1 << 16
NARROW_CHUNK = 1 << 14  # so that connections that share little do not wait long for their turn


class Proxy:
    """A running proxy.py, for as long as the block lasts. `delay` in seconds each way, `rate` in bytes a second."""

    def __init__(self, listen: int, to: int, *, delay: float = 0, rate: float = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), str(listen), str(to), "--delay-ms", str(delay * 1000),
             "--bytes-per-second", str(rate)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self._expect("ready")

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def tell(self, word: str) -> None:
        """Returns when it is so."""
        assert self.process.stdin
        print(word, file=self.process.stdin)
        self._expect(word)

    def _expect(self, word: str) -> None:
        assert self.process.stdout
        if (said := self.process.stdout.readline().strip()) != word:
            raise RuntimeError(f"proxy.py said '{said}' instead of '{word}'")


class Line:
    """One direction: a chunk is sent when those before it are."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.chunk = NARROW_CHUNK if rate else CHUNK
        self._turn = asyncio.Lock()
        self._free_at = 0.0

    async def send(self, size: int) -> None:
        if not self.rate:
            return
        async with self._turn:
            now = asyncio.get_running_loop().time()
            self._free_at = max(self._free_at, now) + size / self.rate
            await asyncio.sleep(self._free_at - now)


class Window:
    """What one connection may have on its way in one direction."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._changed = asyncio.Event()

    async def take(self, size: int) -> None:
        while self._left <= 0:
            self._changed.clear()
            await self._changed.wait()
        self._left -= size

    def give_back(self, size: int) -> None:
        self._left += size
        self._changed.set()


class Way:
    """From one port to another, with everything that can be in between."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.chosen = chosen
        self.delay = chosen.delay_ms / 1000
        self.there, self.back = Line(chosen.bytes_per_second), Line(chosen.bytes_per_second)
        self.passing = asyncio.Event()
        self.connections: set[asyncio.Task[None]] = set()
        self.server: asyncio.Server | None = None

    async def obey(self, word: str) -> None:
        match word:
            case "pass":
                self.passing.set()
                self.server = self.server or await asyncio.start_server(self._serve, "127.0.0.1", self.chosen.listen)
            case "silence":
                self.passing.clear()
            case "refuse":
                await self._close()
            case _:
                raise ValueError(f"'{word}' is no word that a proxy obeys")

    async def _close(self) -> None:
        if self.server:
            self.server.close()
            self.server = None
        for connection in self.connections:
            connection.cancel()
        await asyncio.gather(*self.connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self.connections.add(task)
        try:
            await self.passing.wait()
            await asyncio.sleep(2 * self.delay)  # a connection takes a round trip
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.chosen.to)
            try:
                await first_to_end(self._pump(reader, far_writer, self.there), self._pump(far_reader, writer, self.back))
            finally:
                far_writer.close()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.connections.remove(task)
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: Line) -> None:
        on_its_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        await first_to_end(self._enter(reader, line, on_its_way), self._arrive(on_its_way, writer))

    async def _enter(self, reader: asyncio.StreamReader, line: Line,
                     on_its_way: asyncio.Queue[tuple[float, bytes]]) -> None:
        loop = asyncio.get_running_loop()
        window = Window(self.chosen.window)
        while data := await reader.read(line.chunk):
            await window.take(len(data))
            await line.send(len(data))
            await self.passing.wait()
            due = loop.time() + self.delay
            loop.call_at(due + self.delay, window.give_back, len(data))
            on_its_way.put_nowait((due, data))
        on_its_way.put_nowait((loop.time() + self.delay, b""))
        await asyncio.Event().wait()  # what is on its way arrives first

    async def _arrive(self, on_its_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await on_its_way.get()
            if (left := due - loop.time()) > 0:
                await asyncio.sleep(left)
            await self.passing.wait()
            if not data:
                return
            writer.write(data)
            await writer.drain()


async def first_to_end(*both) -> None:
    """Runs them beside each other until one has ended, and raises what it did."""
    tasks = [asyncio.ensure_future(each) for each in both]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def run(chosen: argparse.Namespace) -> None:
    way = Way(chosen)
    await way.obey("pass")
    print("ready", flush=True)
    told = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    while line := await told.readline():
        await way.obey(line.decode().strip())
        print(line.decode().strip(), flush=True)
    await way.obey("refuse")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("listen", type=int, metavar="LISTEN")
    parser.add_argument("to", type=int, metavar="TO")
    parser.add_argument("--delay-ms", type=float, default=0)
    parser.add_argument("--bytes-per-second", type=float, default=0, help="0: as many as there are")
    parser.add_argument("--window", type=int, default=16 << 20, help="bytes; hosts that are tuned for the distance have 16 MB, others 4")
    asyncio.run(run(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
