"""What exporters talk to: as cheap as can be, on a core where they hurt no client."""

import contextlib
import socket
import threading

from process import Target


class Sinks:
    """A server that takes what is posted, and a socket that takes datagrams."""

    def __init__(self, core):
        self.posts = Target(core)
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", 0))
        self.port = self.datagrams.getsockname()[1]
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        with contextlib.suppress(OSError):
            while self.datagrams.recv(65536):
                pass

    def flags(self):
        """All four exporters."""
        return ["--otlp", f"http://{self.posts.addr}", "--statsd", f"udp://127.0.0.1:{self.port}",
                "--influx", f"http://{self.posts.addr}/write?db=bench", "--prometheus", "127.0.0.1:0"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.posts.close()
        self.datagrams.close()
