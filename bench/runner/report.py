"""Medians, bars and tables."""

import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

from rivals import H2load, K6, Oha, Wrk


def say(text):
    print(f"bench-runner: {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Spread:
    """What several runs gave: the one in the middle, the least and the most."""

    middle: float
    least: float
    most: float

    @staticmethod
    def of(values):
        values = [value for value in values if value is not None]
        return Spread(statistics.median(values), min(values), max(values)) if values else None

    def text(self, digits=2):
        return f"{self.middle:.{digits}f} ({self.least:.{digits}f}..{self.most:.{digits}f})"


def cell(spread, digits=2):
    return spread.text(digits) if spread else "-"


class Report:
    """The document, as it grows, and whether every bar in it holds."""

    def __init__(self):
        self.lines = []
        self.falls_short = False

    def say(self, *lines):
        for line in lines:
            self.lines.append(line)
            print(line, flush=True)

    def heading(self, text, *paragraphs):
        self.say("", f"## {text}")
        for paragraph in paragraphs:
            self.say("", paragraph)

    def table(self, head, rows):
        self.say("","| " + " | ".join(head) + " |", "|" + "|".join(["---"] + ["--:"] * (len(head) - 1)) + "|")
        for row in rows:
            self.say("| " + " | ".join(row) + " |")

    def bars(self, rows):
        """Rows of what is promised, the bar as text, what was measured, and whether it holds."""
        for _, _, _, holds in rows:
            self.falls_short |= not holds
        self.table(["bar", "promised", "measured", ""],
                   [[what, bar, got, "holds" if holds else "**falls short**"] for what, bar, got, holds in rows])


def about(seconds, pairs, cores):
    """Machine, versions and date."""
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    rivals = [told for kind in [Wrk, H2load, Oha, K6] if (told := kind.told_version())]
    return [
        "# The runner beside its rivals",
        "",
        "By `scripts/bench-runner`. Only what was measured by turns in one run compares; times alone mean little. Figures are "
        "medians, with the least and the most in brackets.",
        "",
        f"- {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, {commit.stdout.strip() or 'no commit'}, "
        f"{pairs} rounds, {seconds} s a run unless a section says otherwise",
        f"- {cpu}, {os.cpu_count()} processors, Linux {platform.release()}; load when it began "
        f"{os.getloadavg()[0]:.1f}",
        f"- client on core {cores.client}, server on core {cores.server}, sinks on core {cores.beside}",
        f"- {'; '.join(rivals)}; {subprocess.run(['rustc', '--version'], capture_output=True, text=True, check=False).stdout.strip()}",
    ]
