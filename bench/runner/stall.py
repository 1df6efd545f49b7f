"""Telling the truth of a server that stands still for one second in five.

A share f = S / T / (1 - R / capacity) of the arrivals waits, evenly from nothing to S. So the quantile q is S (1 - (1 - q) / f)
where 1 - q < f: p90 is 500 ms, p95 750, p99 950, the mean 100. It does not matter where in a period the run begins.
"""

import re

from paced import with_a_rate
from process import Target, run
from report import Spread, cell, say
from rivals import UNITS_MS
from turns import order

RATE, CONNECTIONS, SECONDS = 2_000, 64, 20
FIGURES = ["p90", "p95", "p99", "mean"]
BARS = {"p90": (470, 560), "p95": (725, 790), "p99": (935, 985), "mean": (95, 118)}
SERVICE_P99_MS = 100
# The last stall may end with the run, before the last second is shown.
STALLS_SHOWN = SECONDS // 5 - 1


def section(report, cores, options):
    rounds = 1 if options.quick else options.rounds
    report.heading(
        "A stall",
        f"The server stands still for 1 s in every 5 s; {RATE} arrivals a second over {CONNECTIONS} connections for {SECONDS} s, "
        "each from when it was due. Milliseconds; the arithmetic says p90 500, p95 750, p99 950, mean 100, "
        f"{RATE * SECONDS} requests.")
    clients = with_a_rate(options)
    told = {name: [] for name in clients}
    for turn in range(rounds):
        for name in order(clients, turn):
            client = clients[name]
            with Target(cores.server, "--stall", "1s/5s") as target:
                ran = run(cores.client, client.argv(target.url, CONNECTIONS, SECONDS, RATE), SECONDS + 10, client.meanwhile)
                one = {"requests": target.count(), **client.percentiles(ran.out)}
            if name == "barewire":
                one["service"] = client.results(ran.out)["latency_ms"]["p99"]
                one["shown"] = sum(longest >= BARS["p99"][0] for longest in live_ms(ran.err))
            told[name].append(one)
            say(f"stall, round {turn + 1} of {rounds}: {name} {one['requests']} requests, p99 {one['p99']:.0f} ms")
    report.table(["client", "requests", *FIGURES, "service time p99"],
                 [[name, *(cell(spread(all_of, figure), 0) for figure in ["requests", *FIGURES, "service"])]
                  for name, all_of in told.items()])
    report.bars(promised(told["barewire"]))


def live_ms(err):
    """The longest response of each second, as it was shown while the run lasted."""
    found = re.findall(r"^ *\d+s .* max +([\d.]+)(us|ms|s) ", err, re.M)
    return [float(value) * UNITS_MS[unit] for value, unit in found]


def spread(samples, figure):
    return Spread.of([one.get(figure) for one in samples])


def promised(samples):
    requests = {one["requests"] for one in samples}
    bars = [["scheduled = R x D, all served", f"{RATE * SECONDS}", ", ".join(map(str, sorted(requests))),
             requests == {RATE * SECONDS}]]
    for figure, (least, most) in BARS.items():
        got = spread(samples, figure)
        bars.append([f"{figure}", f"{least} to {most} ms", got.text(0), least <= got.middle <= most])
    got = spread(samples, "shown")
    bars.append(["seconds of the live view that show a stall", f">= {STALLS_SHOWN}", got.text(0),
                 got.least >= STALLS_SHOWN])
    got = spread(samples, "service")
    return bars + [["service time, p99", f"< {SERVICE_P99_MS} ms", got.text(1), got.middle < SERVICE_P99_MS]]
