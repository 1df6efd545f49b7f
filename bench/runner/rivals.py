"""Who is measured: how each is asked for a load, and where it tells its percentiles."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

from process import BAREWIRE, get

UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}


class Barewire:
    """Ours, with whatever exporters `flags` name; their Prometheus page, if there is one, is fetched once a second."""

    name = "barewire"

    def __init__(self, *flags):
        self.flags = flags
        self.page, self.fetched = None, 0.0

    def argv(self, url, connections, seconds, rate=None):
        self.page = None
        pace = ["-r", rate] if rate else []
        results = ["--results", "/dev/stdout"]
        return [BAREWIRE, "run", url, "-c", connections, "-t", 1, "-d", f"{seconds}s", *pace, *self.flags, *results]

    def meanwhile(self, program):
        """Scrapes at 1 Hz: nobody else does."""
        if "--prometheus" not in self.flags or time.monotonic() - self.fetched < 1:
            return
        self.fetched = time.monotonic()
        announced = re.search(r"Prometheus page: http://([\d.:]+)/", program.out())
        if announced:
            self.page = announced[1]
            try:
                get(self.page, "/metrics")
            except OSError:
                pass  # It has just ended.

    def results(self, out):
        """What --results wrote, which stands behind what is said to people."""
        return json.loads(out[out.index("\n{\n") if not out.startswith("{") else 0:])

    def percentiles(self, out):
        results = self.results(out)
        took = results.get("response_time_ms") or results["latency_ms"]
        return {"p50": took["p50"], "p90": took["p90"], "p95": took["p95"], "p99": took["p99"], "mean": took["mean"]}


class Rival:
    """One that is found on PATH, and has nothing to do beside its load."""

    name = ""
    version = ["--version"]

    def meanwhile(self, program):
        pass

    def percentiles(self, out):
        return {}

    @classmethod
    def told_version(cls):
        if not shutil.which(cls.name):
            return None
        told = subprocess.run([cls.name, *cls.version], capture_output=True, text=True, check=False)
        return (told.stdout or told.stderr).splitlines()[0].split(" Copyright")[0].strip()


class Wrk(Rival):
    name = "wrk"

    def argv(self, url, connections, seconds, rate=None):
        return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url]

    def percentiles(self, out):
        found = re.findall(r"^\s+(50|90|99)%\s+([\d.]+)(us|ms|s|m)", out, re.M)
        return {f"p{q}": float(value) * UNITS_MS[unit] for q, value, unit in found}


class H2load(Rival):
    name = "h2load"

    def argv(self, url, connections, seconds, rate=None):
        return ["h2load", "--h1", "-t1", f"-c{connections}", f"-D{seconds}", url]


class Oha(Rival):
    name = "oha"

    def argv(self, url, connections, seconds, rate=None):
        pace = ["-q", rate, "--latency-correction"] if rate else []
        return ["oha", "--no-tui", "--output-format", "json", "-c", connections, "-z", f"{seconds}s", *pace, url]

    def percentiles(self, out):
        told = json.loads(out)
        took = {q: value * 1e3 for q, value in told["latencyPercentiles"].items() if value is not None}
        return took | {"mean": told["summary"]["average"] * 1e3}


class Floor(Rival):
    """No load generator: one send and one recv a request, and nothing of its own."""

    name = "floor"
    program = Path("bench/target/release/floor")

    def argv(self, url, connections, seconds, rate=None):
        address = url.removeprefix("http://").rstrip("/")
        return [self.program, address, connections, seconds]


class K6(Rival):
    name = "k6"
    version = ["version"]

    def __init__(self, folder):
        self.script = Path(folder) / "load.js"
        self.script.write_text(
            "import http from 'k6/http';\n"
            "export const options = { discardResponseBodies: true };\n"
            "export default function () { http.get(__ENV.URL); }\n")

    def argv(self, url, connections, seconds, rate=None):
        return ["k6", "run", "--quiet", "--no-usage-report", "-u", connections, "-d", f"{seconds}s", "-e", f"URL={url}",
                self.script]
