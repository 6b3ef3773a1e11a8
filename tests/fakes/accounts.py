"""Both sums of docs/metrics.md, for every test in which something goes wrong: no scrape may show a loss without a name.

    accounts = Accounts(f"http://{service.address}")     # a service of its own, over HTTP
    accounts = Accounts(lambda: readings(loop, ...))     # parts in this process
    accounts.check()                                     # one scrape; AssertionError says what does not add up

    with accounts.watched():                             # every 100 ms, until the end of the block
        ...

    events seen         = exported + discarded(reason) + pending, and unaccounted says 0
    spans emitted       = acknowledged + dropped(reason) + queued + left

`queued` is all that waits, on disk too, or is being sent; `left` is what stays on disk for the next process when this one ends.
Spans that the process before has left are `recovered`, and count as emitted. Both are 0 where nobody tells.
"""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[str, dict[str, float]]
"""Name of a metric -> value of its label (empty: without) -> value."""


@dataclass(frozen=True)
class Account:
    """One scrape."""

    samples: Samples = field(repr=False)

    def total(self, name: str, label: str | None = None) -> float:
        """A metric `kspanpy_<name>`: of one label value, or of all together; 0 if it is not served."""
        values = self.samples.get(f"kspanpy_{name}", {})
        return sum(values.values()) if label is None else values.get(label, 0.0)

    def by_reason(self, name: str) -> dict[str, float]:
        """A metric `kspanpy_<name>` by the values of its label, without those that are 0."""
        return {label: value for label, value in self.samples.get(f"kspanpy_{name}", {}).items() if value}

    @property
    def events(self) -> dict[str, float]:
        """The first sum: `seen` and what it should be made of."""
        names = ("seen_total", "exported_total", "discarded_total", "pending")
        return {name.removesuffix("_total"): self.total(f"events_{name}") for name in names}

    @property
    def spans(self) -> dict[str, float]:
        """The second sum: `emitted` and what it should be made of."""
        names = ("emitted_total", "acknowledged_total", "dropped_total", "queued", "left")
        return {name.removesuffix("_total"): self.total(f"spans_{name}") for name in names}

    @property
    def problems(self) -> list[str]:
        """What does not add up; empty when all does."""
        found = []
        if "kspanpy_events_seen_total" not in self.samples:
            found.append("this is no scrape of kspanpy")
        events, spans = self.events, self.spans
        if events["seen"] != events["exported"] + events["discarded"] + events["pending"]:
            found.append(f"events: {events}")
        if self.total("events_unaccounted"):
            found.append(f"events unaccounted: {self.total('events_unaccounted')}")
        if spans["emitted"] != sum(spans[name] for name in ("acknowledged", "dropped", "queued", "left")):
            found.append(f"spans: {spans}")
        if self.total("spans_recovered_total") > spans["emitted"]:
            found.append(f"more recovered than emitted: {self.total('spans_recovered_total')}")
        for name, value in {**events, **spans}.items():
            if value < 0:
                found.append(f"{name} is negative: {value}")
        return found


class Accounts:
    """Scrapes a service, by its address, or reads what `kspanpy.app.readings.readings` gives."""

    def __init__(self, source: str | Callable[[], Mapping[str, Any]]) -> None:
        self._source = source
        self.last: Account | None = None
        """The newest scrape."""
        self.scrapes = 0

    def read(self) -> Account:
        """One scrape, whatever it says. Raises OSError while nobody listens."""
        account = Account(_scraped(self._source) if isinstance(self._source, str) else _read(self._source()))
        self.last = account
        self.scrapes += 1
        return account

    def check(self) -> Account:
        """One scrape that adds up."""
        account = self.read()
        assert not account.problems, "; ".join(account.problems)
        return account

    def settled(self, within_s: float = 10.0) -> Account:
        """The first scrape with nothing pending and nothing queued; every one on the way adds up."""
        end = time.monotonic() + within_s
        while True:
            account = self.check()
            if not account.events["pending"] and not account.spans["queued"]:
                return account
            assert time.monotonic() < end, f"still open: {account.events} {account.spans}"
            time.sleep(0.05)

    @contextmanager
    def watched(self, every_s: float = 0.1, *, at_least: int = 1) -> Iterator[Accounts]:
        """Scrapes in the background; at the end fails if one did not add up, or a counter went back, or too few succeeded.

        A scrape that nobody answers is none: the service may start, stop or be killed meanwhile. A counter may begin again at
        0 after such a gap only.
        """
        over = threading.Event()
        found: list[str] = []
        before = self.scrapes

        def scrape() -> None:
            last: Account | None = None
            began = time.monotonic()
            while not over.is_set():
                try:
                    account = self.read()
                except OSError:
                    last = None
                else:
                    back = [] if last is None else _went_back(last, account)
                    found.extend(f"after {time.monotonic() - began:.1f} s: {what}" for what in account.problems + back)
                    last = account
                over.wait(every_s)

        thread = threading.Thread(target=scrape, name="accounts", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join(10)
        assert not found, f"{len(found)} scrapes do not add up: " + "; ".join(found[:5])
        assert self.scrapes - before >= at_least, f"only {self.scrapes - before} scrapes succeeded"


def _went_back(before: Account, after: Account) -> list[str]:
    return [
        f"{name}{{{label}}} went back from {value} to {after.samples[name].get(label, 0.0)}"
        for name, values in before.samples.items()
        if name.startswith("kspanpy_") and name.endswith("_total") and name in after.samples
        for label, value in values.items()
        if after.samples[name].get(label, 0.0) < value
    ]


def _scraped(address: str) -> Samples:
    try:
        with urllib.request.urlopen(f"{address.removesuffix('/metrics')}/metrics", timeout=5) as response:
            text = response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            raise AssertionError(f"/metrics answers {error.code}: {error.read()[:200]!r}") from None
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            label = ",".join(sample.labels.values())
            samples.setdefault(sample.name, {})[label] = sample.value
    return samples


def _read(readings: Mapping[str, Any]) -> Samples:
    samples: Samples = {}
    for name, reading in readings.items():
        if isinstance(reading, int | float):
            samples[name] = {"": float(reading)}
        elif isinstance(reading, Mapping):
            samples[name] = {str(label): float(value) for label, value in reading.items()}
    return samples
