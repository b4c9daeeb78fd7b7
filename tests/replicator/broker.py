"""A cluster of one broker that only says who it is and which topics it has."""

from __future__ import annotations

import socketserver
import struct
import threading

API_VERSIONS, METADATA = 18, 3
VERSIONS = {API_VERSIONS: (0, 3), METADATA: (0, 2)}


def text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


class Broker:
    """Listens while it is entered."""

    def __init__(self, identity: str, topics: list[str]) -> None:
        broker = self

        class Connection(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while size := self.rfile.read(4):
                    request = self.rfile.read(struct.unpack(">i", size)[0])
                    key, version, correlation = struct.unpack(">hhi", request[:8])
                    answer = struct.pack(">i", correlation) + broker.answer(key, version)
                    self.wfile.write(struct.pack(">i", len(answer)) + answer)

        self.identity, self.topics = identity, topics
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection)
        self.server.daemon_threads = True
        self.port: int = self.server.server_address[1]

    def __enter__(self) -> Broker:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def answer(self, key: int, version: int) -> bytes:
        if key == API_VERSIONS:
            return self.versions(version)
        assert (key, version) == (METADATA, 2), f"request {key} in version {version} is not for this broker"
        return self.metadata()

    def versions(self, version: int) -> bytes:
        tags = b"\0" if version >= 3 else b""
        count = struct.pack(">B", len(VERSIONS) + 1) if version >= 3 else struct.pack(">i", len(VERSIONS))
        each = b"".join(struct.pack(">hhh", key, *known) + tags for key, known in VERSIONS.items())
        return struct.pack(">h", 0) + count + each + (struct.pack(">i", 0) if version >= 1 else b"") + tags

    def metadata(self) -> bytes:
        brokers = struct.pack(">ii", 1, 1) + text("127.0.0.1") + struct.pack(">ih", self.port, -1)
        partition = struct.pack(">hii", 0, 0, 1) + struct.pack(">ii", 1, 1) * 2
        topics = b"".join(struct.pack(">h", 0) + text(each) + struct.pack(">?i", False, 1) + partition
                          for each in self.topics)
        return brokers + text(self.identity) + struct.pack(">ii", 1, len(self.topics)) + topics
