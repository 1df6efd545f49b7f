"""Clients against one server, by turns: A B C, C B A, …"""

from dataclasses import dataclass

from process import run
from report import Spread, cell, say


@dataclass(frozen=True)
class Sample:
    """One run of one client. Requests are those that the server counted."""

    requests: int
    cpu_us: float
    rate: float
    peak_mb: float
    half_mb: float
    percentiles: dict
    out: str


def sample(cores, server, client, connections, seconds):
    before = server.count()
    ran = run(cores.client, client.argv(server.url, connections, seconds), seconds, client.meanwhile)
    requests = server.count() - before
    if not requests:
        raise SystemExit(f"bench-runner: {client.name} sent nothing:\n{ran.out}")
    return Sample(requests, ran.cpu_s * 1e6 / requests, requests / seconds, ran.peak_mb, ran.half_mb,
                  client.percentiles(ran.out), ran.out)


def by_turns(cores, server, clients, connections, seconds, rounds):
    """Samples by the names of their clients, in the order of the rounds."""
    samples = {name: [] for name in clients}
    for turn in range(rounds):
        for name in order(clients, turn):
            one = sample(cores, server, clients[name], connections, seconds)
            samples[name].append(one)
            say(f"{connections} connections, round {turn + 1} of {rounds}: {name} {one.cpu_us:.2f} us a request, "
                f"{one.rate:.0f}/s, {one.peak_mb:.1f} MB")
    return samples


def order(names, turn):
    """Whose turn is when: there and back."""
    return list(names) if turn % 2 == 0 else list(names)[::-1]


def ratio(samples, ours, rival):
    """CPU a request, ours to the rival's, in pairs of the same round."""
    return Spread.of([a.cpu_us / b.cpu_us for a, b in zip(samples[ours], samples[rival])])


def rows(samples, ours):
    """A table's: what each client cost, and how it compares to ours."""
    def of(name, figure):
        return Spread.of([figure(one) for one in samples[name]])

    def row(name):
        compared = "1" if name == ours else cell(ratio(samples, ours, name))
        return [name, cell(of(name, lambda one: one.cpu_us)), compared, cell(of(name, lambda one: one.rate / 1e3), 1),
                cell(of(name, lambda one: one.peak_mb), 1), cell(of(name, lambda one: one.percentiles.get("p50")), 3),
                cell(of(name, lambda one: one.percentiles.get("p99")), 3)]

    return [row(name) for name in samples]


HEAD = ["client", "CPU s per million requests", "barewire to it", "1000 req/s", "peak RSS MB", "p50 ms", "p99 ms"]
