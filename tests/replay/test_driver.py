"""Running a recording: the linker gets every change with the recording's clock, and its commands are carried out."""

from pathlib import Path

from kspanpy.core.model import ObjectReference, Span
from kspanpy.core.steps import (
    Discarded,
    DiscardReason,
    EventSeen,
    LookupOwner,
    ObjectGone,
    ObjectSeen,
    OwnerMissing,
    SpanEnded,
)
from kspanpy.decode import Malformed, MalformedReason, object_from, watch_line
from kspanpy.replay import Entry, read, replay

CAPTURES = Path(__file__).parents[1] / "fixtures" / "captures"
SPAN = Span(b"t" * 16, b"s" * 8, b"", "Pod startup", "kubernetes", 1, 2, {})
OWNER = ObjectReference(kind="Widget", name="w", uid="wu")


class Scripted:
    """A linker that remembers what it got and answers as told."""

    def __init__(self, *answers, at_end=()):
        self.inputs = []
        self.answers = list(answers)
        self.at_end = list(at_end)
        self.finished_ns = None

    def step(self, input_, now_ns):
        """Remembers, and answers."""
        self.inputs.append((now_ns, input_))
        return self.answers.pop(0) if self.answers else []

    def finish(self, now_ns):
        """Remembers when."""
        self.finished_ns = now_ns
        return self.at_end


def change(name="x", type_="ADDED", kind="Pod"):
    """A change of an object."""
    body = (
        f'{{"type":"{type_}","object":{{"kind":"{kind}","apiVersion":"v1","metadata":{{"name":"{name}","uid":"u"}}}}}}'
    )
    return watch_line(body.encode())


def test_every_change_is_a_step_and_the_clock_never_goes_back():
    """The clock is the newest time of receipt so far."""
    linker = Scripted()
    entries = [
        Entry(5, change("a")),
        Entry(3, change("b")),
        Entry(9, change("c", "DELETED")),
        Entry(9, change("e", kind="Event")),
    ]
    summary = replay(entries, linker, print)
    assert [(now, type(step)) for now, step in linker.inputs] == [
        (5, ObjectSeen),
        (5, ObjectSeen),
        (9, ObjectGone),
        (9, EventSeen),
    ]
    assert linker.finished_ns == 9
    assert (summary.lines, summary.objects, summary.events) == (4, 3, 1)
    assert (summary.first_received_ns, summary.last_received_ns) == (5, 9)


def test_an_expired_event_is_no_step():
    """It says nothing."""
    linker = Scripted()
    summary = replay([Entry(1, change(type_="DELETED", kind="Event"))], linker, print)
    assert linker.inputs == []
    assert (summary.lines, summary.events) == (1, 0)


def test_spans_are_emitted_as_they_end_and_what_is_open_at_the_end():
    """Once each."""
    spans = []
    summary = replay([Entry(1, change())], Scripted([SpanEnded(SPAN)], at_end=[SpanEnded(SPAN)]), spans.append)
    assert spans == [SPAN, SPAN]
    assert summary.spans == 2


def test_losses_are_counted_by_reason():
    """Discarded occurrences and malformed lines."""
    entries = [
        Entry(1, change()),
        Entry(1, Malformed(MalformedReason.NOT_JSON)),
        Entry(1, Malformed(MalformedReason.NOT_JSON)),
    ]
    summary = replay(entries, Scripted([Discarded(DiscardReason.DUPLICATE)]), print)
    assert summary.discarded == {DiscardReason.DUPLICATE: 1}
    assert summary.malformed == {MalformedReason.NOT_JSON: 2}
    assert summary.lines == 3


def test_a_lookup_is_answered_at_once_that_nobody_knows():
    """A file can not be asked; what the answer brings is carried out too."""
    spans = []
    linker = Scripted([LookupOwner(OWNER)], [SpanEnded(SPAN)])
    summary = replay([Entry(7, change())], linker, spans.append)
    assert linker.inputs[1] == (7, OwnerMissing(OWNER, "unavailable"))
    assert spans == [SPAN]
    assert summary.lookups == 1


def test_a_lookup_may_be_answered_by_the_caller():
    """With an object that is known from elsewhere."""
    owner = ObjectSeen(object_from(b'{"kind":"Widget","apiVersion":"x/v1","metadata":{"name":"w"}}'))
    linker = Scripted([LookupOwner(OWNER)])
    replay([Entry(7, change())], linker, print, on_lookup=lambda reference: owner if reference == OWNER else None)
    assert linker.inputs[1] == (7, owner)


def test_a_linker_that_asks_for_ever_is_stopped():
    """Every loop has an end."""

    class Asking(Scripted):
        def step(self, input_, now_ns):
            return [LookupOwner(OWNER)]

    assert replay([Entry(7, change())], Asking(), print).lookups == 10_001


def test_a_real_capture_runs_from_beginning_to_end():
    """The numbers of the deployment capture."""
    with read(str(CAPTURES / "deployment.ndjson.gz")) as capture:
        summary = replay(capture, Scripted(), print)
    assert (summary.lines, summary.events, summary.objects, summary.spans) == (173, 54, 119, 0)
    assert not summary.malformed


def test_an_empty_recording_has_a_summary_too():
    """Nothing was received."""
    summary = replay([], Scripted(), print)
    assert (summary.lines, summary.first_received_ns, summary.last_received_ns) == (0, None, None)
