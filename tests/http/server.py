"""An HTTP server that does what it is told.

It writes its port to standard output, and a line for each request to `--log FILE`, before it does anything else about it:
path, connection, headers ("name: value\\n") and body, these two as hexadecimal digits, with tabs between them. It reads from standard
input, and answers each line with "ok":

    PATH ACTION ...    what the next POST requests to PATH meet; the last action stays

    ACTION: 503                this status               slow:0.5:200   the same, after so many seconds
            429:2              with Retry-After          drop           reads it and closes the connection
            429:+2             as a date so far ahead    half           closes it in the middle of the answer
            hang               no answer                 reset          200, and then the connection is reset

An answer is "ok ", and what was asked. With `--tls FILE`, of certificate and key, it speaks TLS. `--port 0` is any that is free.
"""

from __future__ import annotations

import argparse
import email.utils
import socket
import ssl
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

scripts: dict[str, list[str]] = {}
lock = threading.Lock()


class handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
        fields = [self.path, str(self.client_address[1]), headers.encode("latin-1").hex(), body.hex()]
        with lock:
            self.server.log.write("\t".join(fields) + "\n")
            self.server.log.flush()
            script = scripts.get(self.path, ["200"])
            action = script.pop(0) if len(script) > 1 else script[0]
        self.act(action)

    def act(self, action: str) -> None:
        if action.startswith("slow:"):
            _, seconds, action = action.split(":", 2)
            time.sleep(float(seconds))
        if action == "drop":
            self.cut()
        elif action == "hang":
            time.sleep(3600)
        elif action == "half":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf of it")
            self.cut()
        elif action == "reset":
            self.answer("200")
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        else:
            self.answer(*action.split(":", 1))

    def answer(self, status: str, after: str = "") -> None:
        self.send_response(int(status))
        if after.startswith("+"):
            after = email.utils.formatdate(time.time() + int(after), usegmt=True)
        if after:
            self.send_header("Retry-After", after)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(3 + len(self.body)))
        self.end_headers()
        self.wfile.write(b"ok " + self.body)

    def cut(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        pass


class server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        pass  # whoever is told to break off connections breaks them off


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls")
    parser.add_argument("--log", type=argparse.FileType("a"), required=True)
    options = parser.parse_args()
    serving = server(("127.0.0.1", options.port), handler)
    serving.log = options.log
    if options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.tls)
        serving.socket = context.wrap_socket(serving.socket, server_side=True)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    print(serving.server_address[1], flush=True)
    for line in sys.stdin:
        path, *actions = line.split()
        with lock:
            scripts[path] = actions
        print("ok", flush=True)


main()
