"""Programs on cores of their own: started, measured, and stopped by their pids."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

BAREWIRE = os.environ.get("BAREWIRE", "target/release/barewire")


@dataclass(frozen=True)
class Cores:
    """Where what runs. Sinks have the server's core where there is no third."""

    client: int
    server: int
    beside: int

    @staticmethod
    def of_this_machine():
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise SystemExit("bench-runner: client and server need a core each, and there is one")
        server, client = cores[0], cores[-1]
        return Cores(client, server, cores[1] if len(cores) > 2 else server)


@dataclass(frozen=True)
class Ran:
    """What a client came to."""

    cpu_s: float
    peak_mb: float
    # The same as it was when half of its time was over.
    half_mb: float
    out: str
    err: str


class Program:
    """A running program, whose output goes to files of a folder that goes with it."""

    def __init__(self, core, argv):
        self.folder = tempfile.TemporaryDirectory(prefix="bench-runner-")
        with open(self.path("out"), "wb") as out, open(self.path("err"), "wb") as err:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(core), *map(str, argv)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, env={**os.environ, "LC_ALL": "C"},
            )
        self.usage = None
        self.peak_kib = 0

    def path(self, name):
        return Path(self.folder.name) / name

    def out(self):
        return self.path("out").read_text(errors="replace")

    def err(self):
        return self.path("err").read_text(errors="replace")

    def ended(self):
        """Whether it has. Its memory is looked at meanwhile: what wait4 tells counts this process's own before exec."""
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.M)
            self.peak_kib = int(found[1]) if found else self.peak_kib
        if self.process.returncode is None:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                self.process.returncode, self.usage = os.waitstatus_to_exitcode(status), usage
        return self.process.returncode is not None

    def wait(self, seconds):
        deadline = time.monotonic() + seconds
        while not self.ended():
            if time.monotonic() > deadline:
                self.close()
                raise SystemExit(f"bench-runner: {self.process.args} did not end in time")
            time.sleep(0.1)
        return self

    def stop(self):
        if not self.ended():
            os.kill(self.process.pid, signal.SIGTERM)
        self.wait(20)

    def close(self):
        if not self.ended():
            os.kill(self.process.pid, signal.SIGKILL)
            while not self.ended():
                time.sleep(0.01)
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def run(core, argv, seconds, meanwhile=lambda program: None):
    """Runs a client to its end; `meanwhile` is called ten times a second."""
    with Program(core, argv) as program:
        began, half_kib = time.monotonic(), 0
        while not program.ended():
            meanwhile(program)
            lasted = time.monotonic() - began
            half_kib = program.peak_kib if lasted < seconds / 2 else half_kib
            if lasted > seconds + 60:
                raise SystemExit(f"bench-runner: {argv} did not end in time")
            time.sleep(0.1)
        cpu_s = program.usage.ru_utime + program.usage.ru_stime
        out, err, code = program.out(), program.err(), program.process.returncode
        if code != 0:
            raise SystemExit(f"bench-runner: {argv} ended with {code}:\n{err}{out}")
        return Ran(cpu_s, program.peak_kib / 1024, half_kib / 1024, out, err)


class Target(Program):
    """The embedded target, at a port of the kernel's choice."""

    def __init__(self, core, *flags):
        super().__init__(core, [BAREWIRE, "target", "--listen", "127.0.0.1:0", *flags])
        self.addr = wait_for(lambda: re.search(r"http://([\d.:]+)/", self.out()))[1]
        self.url = f"http://{self.addr}/"

    def count(self):
        """How many requests it has served, by its own count."""
        return json.loads(get(self.addr, "/-/stats"))["requests"]


class Nginx(Program):
    """One worker, that answers from memory and logs nothing."""

    def __init__(self, core):
        self.home = tempfile.TemporaryDirectory(prefix="bench-runner-")
        home, port = self.home.name, free_port()
        config = Path(home) / "nginx.conf"
        paths = "".join(f"{kind}_temp_path {home}/{kind}; " for kind in
                        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        config.write_text(
            f"daemon off; worker_processes 1; error_log {home}/error.log; pid {home}/pid;\n"
            "events { worker_connections 1024; }\n"
            f"http {{ access_log off; {paths} keepalive_requests 1000000000;\n"
            f"server {{ listen 127.0.0.1:{port}; location / {{ return 200 'Hello from the other end of the wire.\\n'; }}\n"
            "location /-/stats { stub_status; } } }\n")
        super().__init__(core, ["nginx", "-p", home, "-c", config, "-e", f"{home}/error.log"])
        self.addr = f"127.0.0.1:{port}"
        self.url = f"http://{self.addr}/"
        self.asked = 0
        wait_for(lambda: not self.ended() and answers(self.addr))

    def count(self):
        self.asked += 1
        return int(get(self.addr, "/-/stats").split()[9]) - self.asked

    def close(self):
        with contextlib.suppress(AttributeError):
            self.stop()
        super().close()
        self.home.cleanup()


def get(addr, path):
    with urllib.request.urlopen(f"http://{addr}{path}", timeout=20) as answer:
        return answer.read().decode()


def answers(addr):
    host, port = addr.split(":")
    with contextlib.suppress(OSError):
        socket.create_connection((host, int(port)), 1).close()
        return True
    return False


def free_port():
    """One that nobody had a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(look, seconds=20):
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise SystemExit("bench-runner: a server did not start in time")
        time.sleep(0.02)
    return found
