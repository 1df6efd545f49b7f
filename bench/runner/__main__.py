"""See scripts/bench-runner, which finds what this needs."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import closed
import paced
import stall
import streaming
from process import Cores
from report import Report, about, say

SECTIONS = {"closed": closed.section, "open": paced.section, "stall": stall.section, "streaming": streaming.section}
RESULTS = Path("bench/RESULTS-runner.md")


def main():
    options = arguments()
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda *_: sys.exit("bench-runner: told to stop"))
    cores = Cores.of_this_machine()
    # Nothing of this process is to cost the client anything.
    os.sched_setaffinity(0, {cores.beside})
    report = Report()
    with tempfile.TemporaryDirectory(prefix="bench-runner-") as options.folder:
        report.say(*about(options.seconds, options.rounds, cores))
        for name in options.asked - options.rivals:
            report.say(f"- {name} is not on PATH: its rows are missing, and no bar beside it was tried")
        for name in options.sections or SECTIONS:
            say(f"section {name}")
            SECTIONS[name](report, cores, options)
    if not options.quick and not options.sections:
        RESULTS.write_text("\n".join(report.lines) + "\n")
        say(f"wrote {RESULTS}")
    sys.exit(1 if report.falls_short else 0)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench-runner", allow_abbrev=False)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="two rounds of two seconds")
    parser.add_argument("--with", dest="beside", action="append", default=[], choices=["k6"])
    options = parser.parse_args()
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"'{unknown[0]}' is no section; there are {', '.join(SECTIONS)}")
    options.seconds, options.rounds = (2, 2) if options.quick else (5, 5)
    options.asked = {"wrk", "h2load", "oha", *options.beside}
    options.rivals = {name for name in options.asked if shutil.which(name)}
    return options


if __name__ == "__main__":
    main()
