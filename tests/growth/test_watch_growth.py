"""What lies between the API server and the linker: lines, lists, what is known, the inbox. Each costs what goes through it."""

from __future__ import annotations

import json

import msgspec

from kspanpy.app.intake import Arrival, Inbox, Losses, Shares
from kspanpy.core.model import Event, Object, ObjectReference
from kspanpy.core.steps import EventSeen
from kspanpy.decode import Change
from kspanpy.kube.framing import LineSplitter
from kspanpy.kube.known import EventSorter, KnownObjects
from kspanpy.kube.listwatch import ListWatch
from kspanpy.kube.resources import EVENTS, WATCHED
from kspanpy.kube.settings import WatchSettings
from tests.growth.counting import LAW, calls, peak_bytes

FEW, MANY = 200, 2000
Raw = msgspec.Raw
RAW = Raw(b"{}")
PODS = next(resource for resource in WATCHED if resource.kind == "Pod")


def pod(number: int) -> Object:
    """One of many."""
    return Object("v1", "Pod", "shop", f"web-{number}", f"uid-{number}", number)


def event(number: int, namespace: str = "shop") -> Event:
    """One of many, the last one first."""
    return Event(f"e-{number}", f"web.{number}", namespace, ObjectReference("Pod", namespace, "web"), last_ns=-number)


def page(kind: str, first: int, number: int, more: str) -> bytes:
    """Of a list."""
    items = [
        {"metadata": {"name": f"n{n}", "uid": f"u{n}", "resourceVersion": str(n)}} for n in range(first, first + number)
    ]
    return json.dumps(
        {"kind": f"{kind}List", "metadata": {"resourceVersion": "9", "continue": more}, "items": items}
    ).encode()


class TestLines:
    """`LineSplitter`."""

    def test_ten_times_the_chunks_of_one_line_take_ten_times_the_calls(self):
        """And ten times the memory: its parts are joined once."""

        def feed(chunks: int) -> None:
            lines = LineSplitter(capacity=1 << 30)
            for _ in range(chunks):
                list(lines.feed(b"x" * 100))
            assert len(next(lines.feed(b"\n")) or b"") == 100 * chunks

        assert calls(feed, MANY) <= LAW * calls(feed, FEW)
        assert peak_bytes(feed, MANY) <= LAW * peak_bytes(feed, FEW)

    def test_ten_times_the_lines_of_one_chunk_take_ten_times_the_calls(self):
        """What is left of a chunk is not copied for each line."""

        def feed(number: int) -> None:
            assert sum(1 for _ in LineSplitter(capacity=1000).feed(b"line\n" * number)) == number

        assert calls(feed, MANY) <= LAW * calls(feed, FEW)


class TestLists:
    """`ListWatch`, page by page."""

    @staticmethod
    def listed(resource: object, pages: int) -> ListWatch:
        """After a list of so many pages of 20."""
        protocol = ListWatch(resource, settings=WatchSettings(), random=lambda: 0.5)  # type: ignore[arg-type]
        for number in range(pages):
            protocol.next(now=0.0)
            more = f"t{number}" if number + 1 < pages else ""
            protocol.page(page(PODS.kind if resource == PODS else "Event", number * 20, 20, more), now=0.0)
        assert protocol.synced
        return protocol

    def test_ten_times_the_pages_take_ten_times_the_calls_and_the_memory(self):
        """Of objects, and of Events, which are held until the list is over."""
        for resource in (PODS, EVENTS):
            assert calls(self.listed, resource, 100) <= LAW * calls(self.listed, resource, 10)
            few, many = (peak_bytes(self.listed, resource, n) for n in (10, 100))
            assert many <= LAW * few


class TestKnown:
    """`KnownObjects` and `EventSorter`."""

    def test_ten_times_the_objects_take_ten_times_the_calls(self):
        """Listed, changed, and gone in a gap."""

        def know(number: int) -> None:
            known = KnownObjects(capacity=MANY)
            known.begin_list()
            for n in range(number):
                known.listed(pod(n))
            known.end_list()
            for n in range(number):
                known.changed("MODIFIED", pod(n))
            known.begin_list()
            assert len(known.end_list()) == number

        assert calls(know, MANY) <= LAW * calls(know, FEW)

    def test_an_object_that_is_known_takes_little_besides_itself(self):
        """150 bytes: the linker holds the same version."""
        things = [pod(n) for n in range(MANY)]
        known = KnownObjects(capacity=MANY)
        assert peak_bytes(lambda: [known.changed("ADDED", thing) for thing in things]) <= 150 * MANY

    def test_ten_times_the_events_are_sorted_with_ten_times_the_calls(self):
        """The heap compares in C."""

        def sort(number: int) -> None:
            sorter = EventSorter(capacity=MANY, size=1 << 30)
            out = [change for n in range(number) for change in sorter.push(Change("ADDED", event(n), RAW), event(n))]
            out.extend(sorter.drain())
            assert len(out) == number

        assert calls(sort, MANY) <= LAW * calls(sort, FEW)

    def test_the_json_of_a_sorted_event_is_let_go_unless_a_file_needs_it(self):
        """`kspanpy capture` needs it."""
        raw = Raw(b"x" * 1000)
        for keeps, size in ((False, 0), (True, 1000)):
            sorter = EventSorter(capacity=10, size=10_000, keeps_json=keeps)
            sorter.push(Change("ADDED", event(1), raw), event(1))
            assert [len(memoryview(change.raw)) for change in sorter.drain()] == [size]


class TestInbox:
    """`Inbox`, with those who flood it."""

    def test_ten_times_the_events_take_ten_times_the_calls(self):
        """Also where most of them are dropped, whoever wrote them."""

        def offer(number: int, namespaces: int) -> None:
            inbox = Inbox(2 * MANY, monotonic=iter(range(10_000_000)).__next__)
            for n in range(number):
                inbox.offer(Arrival(0, EventSeen(event(n, f"n{n % namespaces}"))), timeout=0.0)
            inbox.report()
            while not inbox.empty():
                inbox.get_nowait()

        for namespaces in (1, MANY):
            few, many = (calls(offer, n, namespaces) for n in (FEW, MANY))
            assert many <= LAW * few

    def test_what_is_counted_has_an_end(self):
        """Shares are kept of who holds something, losses of a hundred namespaces."""
        shares, losses = Shares(100), Losses()
        for n in range(MANY):
            shares.put(f"n{n}")
            losses.note(f"n{n}", 0.0)
        for n in range(MANY):
            shares.taken(f"n{n}")
        assert not shares._held
        assert len(losses._lost) <= 100
        assert losses.total == MANY
