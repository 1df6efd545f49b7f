"""Arrivals at fixed times, as the server saw them come.

The ideal schedule of R a second has arrival i at t0 + i / R. The distance of arrival i is |t_i - i / R - t0|, where t0 is the
one that makes the earliest distance nothing: nobody sends before a request is due, so what is left is lateness, and what every
request takes to get to the server is not in it. The traced server does not sleep, so its waking up is not in it either. The gaps' coefficient of variation is their standard deviation by their mean: 0
for a metronome, 1 for chance (Poisson).
"""

import statistics
from dataclasses import dataclass

from process import Target, run
from report import Spread, cell, say
from rivals import Barewire, Oha
from turns import order

RATES = (2_000, 20_000, 100_000)
CONNECTIONS = 64
SETTLED_NS = 200_000_000
# Of the rate, in percent; of the distance, in microseconds; of the gaps.
RATE_OFF = 0.02
DISTANCE_US = 25
GAP_CV = 0.5


@dataclass(frozen=True)
class Kept:
    """How well a load kept its rate."""

    arrivals: int
    off_percent: float
    distance_us: float
    distance_p99_us: float
    gap_cv: float
    cpu_us: float


def section(report, cores, options):
    report.heading(
        "Open model",
        "Arrivals as the server saw them come (`barewire target --trace`), against the ideal schedule of arrival i at t0 + i / R. "
        "t0 is such that the arrival that was least late is not late at all. Gap CV: 0 is a metronome, 1 is chance.")
    rows, bars = [], []
    clients = with_a_rate(options)
    for rate in RATES:
        kept = {name: [] for name in clients}
        for turn in range(options.rounds):
            for name in order(clients, turn):
                one = sample(cores, clients[name], rate, options.seconds)
                kept[name].append(one)
                say(f"{rate}/s, round {turn + 1} of {options.rounds}: {name} {one.distance_us:.1f} us, "
                    f"CV {one.gap_cv:.2f}, {one.off_percent:+.4f} %")
        rows += [row(rate, name, samples) for name, samples in kept.items()]
        bars += promised(rate, kept["barewire"])
    report.table(["arrivals a second", "client", "rate off by %", "distance p50 us", "distance p99 us", "gap CV",
                  "client's CPU us a request"], rows)
    report.bars(bars)


def with_a_rate(options):
    """Those that can be asked for one."""
    return {"barewire": Barewire()} | ({"oha": Oha()} if "oha" in options.rivals else {})


def sample(cores, client, rate, seconds):
    with Target(cores.server, "--trace", "/dev/stderr") as target:
        ran = run(cores.client, client.argv(target.url, CONNECTIONS, seconds, rate), seconds, client.meanwhile)
        target.stop()
        trace = target.err()
    return measure(sorted(map(int, trace.split())), rate, ran.cpu_s)


def measure(came, rate, cpu_s):
    """`came` is in nanoseconds, in order; while connections are still made, nothing is judged."""
    came = [at for at in came if at >= came[0] + SETTLED_NS]
    gaps = [later - earlier for earlier, later in zip(came, came[1:])]
    late = [at - i * 1e9 / rate for i, at in enumerate(came)]
    distances = sorted(one - min(late) for one in late)
    real = (len(came) - 1) / (came[-1] - came[0]) * 1e9
    return Kept(len(came), (real / rate - 1) * 100, distances[len(came) // 2] / 1e3, distances[len(came) * 99 // 100] / 1e3,
                statistics.pstdev(gaps) / statistics.mean(gaps), cpu_s * 1e6 / len(came))


def row(rate, name, samples):
    def of(figure, digits=2):
        return cell(Spread.of([figure(one) for one in samples]), digits)

    return [f"{rate:,}", name, of(lambda one: one.off_percent, 4), of(lambda one: one.distance_us, 1),
            of(lambda one: one.distance_p99_us, 0), of(lambda one: one.gap_cv), of(lambda one: one.cpu_us, 1)]


def promised(rate, samples):
    def bar(what, figure, most, unit, digits):
        got = Spread.of([figure(one) for one in samples])
        return [f"{rate:,}/s: {what}", f"<= {most}{unit}", got.text(digits), got.middle <= most]

    if rate == 2_000:
        return [bar("distance from the schedule, p50", lambda one: one.distance_us, DISTANCE_US, " us", 1),
                bar("gap CV", lambda one: one.gap_cv, GAP_CV, "", 2)]
    if rate == 100_000:
        return [bar("rate off by", lambda one: abs(one.off_percent), RATE_OFF, " %", 4)]
    return []
