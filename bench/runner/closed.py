"""Users who wait for their responses, as fast as it goes, with all four exporters streaming once a second."""

from process import Nginx, Target
from report import Spread
from rivals import Barewire, Floor, H2load, K6, Oha, Wrk
from sinks import Sinks
from turns import HEAD, by_turns, ratio, rows, sample

# CPU a request, ours to the rival's.
CPU_BARS = {"wrk": 0.65, "oha": 0.45, "k6": 1 / 18}
PEAK_MB = 12
# How much more memory a run may have at its end than when half of it was over, and how many times longer it lasts: rare
# values go on finding buckets that none was in before, each time later.
FLAT, LONGER = 1.02, 12
# How far p50 may be from wrk's, where both have the same rate because the server gives no more.
P50 = 0.25


def section(report, cores, options):
    report.heading(
        "Closed model",
        "CPU of the client, user and system, by requests that the server counted. barewire streams to all four exporters at "
        "1 Hz meanwhile. wrk's p99 is corrected by invention: it adds samples that nobody measured where a response took "
        "longer than it expected; h2load tells no percentiles. The floor is no load generator: one send and one recv a request "
        "over as many connections, and nothing else, so what it costs is the kernel's.")
    with Sinks(cores.beside) as sinks:
        with Target(cores.server) as target:
            for connections in (64, 256):
                gate(report, cores, options, target, sinks, connections)
            flat(report, cores, options, target, sinks)
        with Nginx(cores.server) as nginx:
            record(report, cores, options, nginx, sinks)


def clients(options, sinks):
    rivals = [Wrk(), H2load(), Oha(), *([K6(options.folder)] if "k6" in options.rivals else [])]
    found = {rival.name: rival for rival in rivals if rival.name in options.rivals}
    return {"barewire": Barewire(*sinks.flags()), Floor.name: Floor()} | found


def gate(report, cores, options, target, sinks, connections):
    samples = by_turns(cores, target, clients(options, sinks), connections, options.seconds, options.rounds)
    report.say("", f"### {connections} connections, barewire's own target")
    report.table(HEAD, rows(samples, "barewire"))
    bars = []
    for rival, most in CPU_BARS.items():
        if rival in samples:
            got = ratio(samples, "barewire", rival)
            bars.append([f"{connections} connections: CPU a request, to {rival}", f"<= {most:.3f}", got.text(3),
                         got.middle <= most])
    peak = Spread.of([one.peak_mb for one in samples["barewire"]])
    bars.append([f"{connections} connections: peak RSS", f"<= {PEAK_MB} MB", peak.text(1), peak.most <= PEAK_MB])
    lost = [exporter for one in samples["barewire"] for exporter in deliveries(one)]
    bars.append([f"{connections} connections: every tick was delivered", "4 exporters, none failed", ", ".join(lost) or "all",
                 not lost])
    report.bars(bars)


def deliveries(one):
    """The exporters that did not deliver what they had to: a runner that does not stream is not what is measured."""
    exporters = Barewire().results(one.out)["exporters"]
    bad = [exporter["name"] for exporter in exporters if exporter["failed"] or exporter["sent"] < 2]
    return bad if len(exporters) == 4 else bad + [f"{len(exporters)} exporters"]


def flat(report, cores, options, target, sinks):
    """Memory does not grow with the time that a run takes."""
    seconds = options.seconds * LONGER
    one = sample(cores, target, Barewire(*sinks.flags()), 64, seconds)
    grown = one.peak_mb / one.half_mb
    report.bars([[f"peak RSS of a run of {seconds} s, to its first half", f"<= {FLAT}",
                  f"{grown:.3f} ({one.peak_mb:.1f} MB)", grown <= FLAT]])


def record(report, cores, options, nginx, sinks):
    samples = by_turns(cores, nginx, clients(options, sinks), 64, options.seconds, options.rounds)
    report.say("", "### 64 connections, nginx, for the record", "",
               "Here the server is the bottleneck, so the rates are alike and no ratio is promised; p50 is comparable.")
    report.table(HEAD, rows(samples, "barewire"))
    p50 = Spread.of([ours.percentiles["p50"] / wrk.percentiles["p50"]
                     for ours, wrk in zip(samples["barewire"], samples["wrk"])])
    report.bars([["p50 agrees with wrk's", f"{1 - P50:.2f} to {1 + P50:.2f} of it", p50.text(2),
                  abs(p50.middle - 1) <= P50]])
