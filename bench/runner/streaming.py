"""What streaming costs: off, on, with a collector that is gone, and with one that is slow."""

import json

from process import Target, free_port
from report import Spread, cell
from rivals import Barewire
from sinks import Sinks
from turns import by_turns, ratio

CONNECTIONS = 64
# CPU a request, to the same run that does not stream.
MOST = 1.01


class Spec(Barewire):
    """One iteration of so many steps, each of a URL of its own."""

    def __init__(self, name, steps, *flags):
        super().__init__(*flags)
        self.name, self.steps = name, steps

    def argv(self, url, connections, seconds, rate=None):
        steps = [{"name": f"step {n}", "url": f"/{n}"} for n in range(self.steps)]
        return super().argv(json.dumps({"target": url.rstrip("/"), "steps": steps}), connections, seconds, rate)


def section(report, cores, options):
    report.heading(
        "Streaming",
        "CPU of the whole client a request, to that of the same run in the same round that streams nothing. *dead*: nobody "
        "listens where the exporters send; *slow*: a collector that answers after five seconds. The second run without streaming "
        "shows how much of a difference is chance.")
    with Sinks(cores.beside) as sinks, Target(cores.beside, "--delay", "5s") as slow, Target(cores.server) as target:
        for steps, interval in ((10, "1s"), (1_000, "100ms")):
            every = clients(steps, interval, sinks, slow)
            samples = by_turns(cores, target, every, CONNECTIONS, options.seconds, options.rounds)
            tables(report, steps, interval, samples)


def clients(steps, interval, sinks, slow):
    gone = free_port()
    dead = ["--otlp", f"http://127.0.0.1:{gone}", "--statsd", f"udp://127.0.0.1:{gone}",
            "--influx", f"http://127.0.0.1:{gone}/write?db=bench"]
    late = ["--otlp", f"http://{slow.addr}", "--influx", f"http://{slow.addr}/write?db=bench"]
    # An hour from now is never.
    every = {"off": ["--interval", "1h"], "off again": ["--interval", "1h"], "on": ["--interval", interval, *sinks.flags()],
             "dead": ["--interval", interval, *dead], "slow": ["--interval", interval, *late]}
    return {name: Spec(name, steps, *flags) for name, flags in every.items()}


def tables(report, steps, interval, samples):
    report.say("", f"### {steps} steps, every {interval}")
    report.table(["streaming", "CPU s per million requests", "to off", "1000 req/s", "peak RSS MB"],
                 [[name, cell(Spread.of([one.cpu_us for one in all_of])), cell(ratio(samples, name, "off"), 3),
                   cell(Spread.of([one.rate / 1e3 for one in all_of]), 1), cell(Spread.of([one.peak_mb for one in all_of]), 1)]
                  for name, all_of in samples.items()])
    bars = []
    for name in ("on", "dead", "slow"):
        got = ratio(samples, name, "off")
        bars.append([f"{steps} steps every {interval}: {name}, to off", f"<= {MOST}", got.text(3), got.middle <= MOST])
    report.bars(bars)
