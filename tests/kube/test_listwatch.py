"""The list+watch protocol: what is asked for after which answers, in exactly which order."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fakes.objects import bookmark, event, line, page, pod
from hypothesis import given
from hypothesis import strategies as st

from kspanpy.decode import Change, Malformed, MalformedReason
from kspanpy.kube import EVENTS, WATCHED, FailureReason, WatchSettings
from kspanpy.kube.listwatch import Degraded, Failed, List, ListWatch, Outcome, Progress, Rewound, State, Wait, Watch

PODS = WATCHED[1]
FIRST = List("", "", 500)
GONE_LINE = line("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})


def error_line(code: int, **more: Any) -> bytes:
    """A watch's last line."""
    return line("ERROR", {"kind": "Status", "code": code, **more})


class Conversation:
    """A protocol, its clock, and what it asked for: waits are taken at their word."""

    def __init__(self, *, resource: Any = PODS, random: Callable[[], float] = lambda: 0.0, **settings: Any) -> None:
        self.now = 0.0
        self.protocol = ListWatch(resource, settings=WatchSettings(**settings), random=random)
        self.asked: list[Any] = []
        self.got: list[Outcome] = []

    def next(self) -> Any:
        """The next request; waits pass."""
        while isinstance(request := self.protocol.next(now=self.now), Wait):
            self.asked.append(round(request.seconds, 3))
            self.now += request.seconds
        self.asked.append(request)
        return request

    def lists(self, *pages: bytes) -> Conversation:
        """One request a page."""
        for body in pages:
            assert isinstance(self.next(), List)
            self.got += self.protocol.page(body, now=self.now)
        return self

    def watches(self, *chunks: bytes, lasts: float = 60.0, end: FailureReason | None = None) -> Conversation:
        """One watch: its bytes, and how it ends."""
        assert isinstance(self.next(), Watch)
        self.protocol.opened(now=self.now)
        self.now += lasts
        for chunk in chunks:
            self.got += self.protocol.chunk(chunk, now=self.now)
        if self.protocol.streaming and end is not None:
            self.got += self.protocol.failed(end, now=self.now)
        elif self.protocol.streaming:
            self.got += self.protocol.closed(now=self.now)
        return self

    def fails(self, reason: FailureReason, **kwargs: Any) -> Conversation:
        """A request without an answer."""
        self.next()
        self.got += self.protocol.failed(reason, now=self.now, **kwargs)
        return self

    def answers(self, status: int, **kwargs: Any) -> Conversation:
        """A request with an answer other than 200."""
        self.next()
        self.got += self.protocol.answered(status, now=self.now, **kwargs)
        return self

    def changes(self) -> list[tuple[str, str]]:
        """What was handed out."""
        return [(o.type, o.object.name) for o in self.got if isinstance(o, Change)]


def watch(version: str) -> Watch:
    """With the shortest timeout: the dice of these tests show zeros."""
    return Watch(version, 300)


def test_list_then_watch_from_its_version() -> None:
    """The first watch begins where the list ended, and progress is told."""
    talk = Conversation().lists(page(pod("a", version=5), version=10))
    assert talk.changes() == [("ADDED", "a")]
    assert talk.got[-1] == Progress(10, end_of_list=True, cursor="10")
    assert talk.next() == watch("10")
    assert talk.protocol.synced


def test_lists_are_paged_and_the_first_page_sets_the_version() -> None:
    """Pages follow their continue tokens; the watch begins at the oldest version among them."""
    talk = Conversation(page_size=1).lists(
        page(pod("a"), version=10, more="t1"), page(pod("b"), version=10, more="t2"), page(pod("c"), version=12)
    )
    talk.next()
    assert talk.asked == [List("", "", 1), List("", "t1", 1), List("", "t2", 1), watch("10")]
    assert talk.changes() == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]


def test_a_closed_watch_is_resumed_at_the_last_version() -> None:
    """Every change and every bookmark moves the cursor."""
    talk = Conversation().lists(page(version=10))
    talk.watches(line("ADDED", pod("a", version=11)) + line("MODIFIED", pod("a", version=12)))
    talk.watches(bookmark(40)).watches()
    talk.next()
    assert talk.asked == [FIRST, watch("10"), watch("12"), watch("40"), watch("40")]
    assert Progress(40, end_of_list=False, cursor="40") in talk.got


def test_versions_are_opaque() -> None:
    """A resourceVersion that is no number is sent back as it came."""
    talk = Conversation().lists(page(version="v-ten"))
    talk.watches(line("ADDED", pod("a", version="v-eleven"))).watches(bookmark("v-12"))
    talk.next()
    assert talk.asked == [FIRST, watch("v-ten"), watch("v-eleven"), watch("v-12")]


def test_watch_timeouts_are_spread() -> None:
    """The server-side timeout is uniform in 300 to 600 seconds."""
    assert Conversation(random=lambda: 0.5).lists(page(version=1)).next() == Watch("1", 450)
    assert Conversation(random=lambda: 0.9999).lists(page(version=1)).next() == Watch("1", 599)


@pytest.mark.parametrize(
    ("do", "then"),
    [
        pytest.param(lambda t: t.answers(410), [FIRST], id="410 at the watch: list at once"),
        pytest.param(lambda t: t.watches(GONE_LINE), [FIRST], id="410 in the stream: list at once"),
        pytest.param(lambda t: t.watches(error_line(0, reason="Expired")), [FIRST], id="Expired in the stream"),
        pytest.param(lambda t: t.answers(429), [0.8, watch("10")], id="429: back off, watch on"),
        pytest.param(lambda t: t.answers(429, retry_after_s=9.0), [9.0, watch("10")], id="Retry-After"),
        pytest.param(
            lambda t: t.watches(error_line(429, details={"retryAfterSeconds": 9})),
            [9.0, watch("10")],
            id="429 in the stream",
        ),
        pytest.param(lambda t: t.answers(500), [0.8, watch("10")], id="500: back off, watch on"),
        pytest.param(lambda t: t.answers(503), [0.8, watch("10")], id="503"),
        pytest.param(lambda t: t.watches(error_line(500)), [0.8, watch("10")], id="500 in the stream"),
        pytest.param(lambda t: t.answers(401), [0.8, watch("10")], id="401: back off, watch on"),
        pytest.param(lambda t: t.answers(400), [0.8, FIRST], id="400: the cursor is no good, list"),
        pytest.param(lambda t: t.fails(FailureReason.REFUSED), [0.8, watch("10")], id="refused"),
        pytest.param(lambda t: t.fails(FailureReason.TIMEOUT), [0.8, watch("10")], id="no answer"),
        pytest.param(lambda t: t.fails(FailureReason.RESET), [0.8, watch("10")], id="broken before the answer"),
        pytest.param(lambda t: t.watches(end=FailureReason.RESET), [0.8, watch("10")], id="broken without progress"),
        pytest.param(
            lambda t: t.watches(line("ADDED", pod("a", version=11)), end=FailureReason.RESET),
            [watch("11")],
            id="broken after progress: at once",
        ),
        pytest.param(lambda t: t.watches(end=FailureReason.SILENT, lasts=90), [watch("10")], id="silent: at once"),
        pytest.param(
            lambda t: t.watches(lasts=0.5), [0.8, watch("10")], id="closed within a second, nothing shown: back off"
        ),
        pytest.param(
            lambda t: t.watches(line("ADDED", pod("a", version=11)), lasts=0.5), [watch("11")], id="short but useful"
        ),
        pytest.param(lambda t: t.answers(403), [0.8, watch("10")], id="403 of what could be read: back off, watch on"),
        pytest.param(lambda t: t.answers(404), [0.8, watch("10")], id="404 of what was there"),
        pytest.param(lambda t: t.fails(FailureReason.TLS), [0.8, watch("10")], id="TLS"),
        pytest.param(lambda t: t.fails(FailureReason.CREDENTIALS), [0.8, watch("10")], id="credentials unreadable"),
        pytest.param(
            lambda t: t.watches(bookmark(9)),
            [FIRST],
            id="a bookmark from before the cursor: the history went back, list",
        ),
        pytest.param(
            lambda t: t.watches(lasts=0.0).watches(lasts=0.0).watches(lasts=0.0),
            [0.8, watch("10"), 1.6, watch("10"), 3.2, FIRST],
            id="200 and an immediate close, as for Events after a stale version: list at the third",
        ),
        pytest.param(
            lambda t: t.watches(end=FailureReason.SILENT, lasts=75).watches(end=FailureReason.SILENT, lasts=75),
            [watch("10"), FIRST],
            id="silent twice, and no bookmark ever: list",
        ),
    ],
)
def test_after_a_watch(do: Callable[[Conversation], Any], then: list[Any]) -> None:
    """What follows each way in which a watch can end: waits in seconds, and requests."""
    talk = Conversation().lists(page(version=10))
    talk.asked.clear()
    do(talk)
    talk.next()
    assert talk.asked[1:] == then


@pytest.mark.parametrize(
    ("do", "then"),
    [
        pytest.param(lambda t: t.answers(410), [FIRST], id="410"),
        pytest.param(lambda t: t.answers(500), [0.8, FIRST], id="500"),
        pytest.param(lambda t: t.answers(429, retry_after_s=5), [5.0, FIRST], id="429"),
        pytest.param(lambda t: t.answers(401), [0.8, FIRST], id="401"),
        pytest.param(lambda t: t.answers(403), [300.0, FIRST], id="403"),
        pytest.param(lambda t: t.answers(404), [300.0, FIRST], id="404"),
        pytest.param(lambda t: t.fails(FailureReason.REFUSED), [0.8, FIRST], id="refused"),
        pytest.param(lambda t: t.fails(FailureReason.TIMEOUT), [0.8, FIRST], id="no answer"),
        pytest.param(lambda t: t.fails(FailureReason.TLS), [0.8, FIRST], id="TLS"),
        pytest.param(lambda t: t.lists(b'{"items": [{"meta'), [0.8, List("", "", 250)], id="cut off: smaller pages"),
        pytest.param(lambda t: t.lists(b"{}"), [0.8, List("", "", 250)], id="not a list"),
        pytest.param(lambda t: t.lists(page(version="")), [0.8, List("", "", 250)], id="without a version"),
        pytest.param(
            lambda t: t.lists(page(version=1, more="t")).answers(410), [List("", "t", 500), FIRST], id="410 at a page"
        ),
        pytest.param(
            lambda t: t.lists(page(version=1, more="t")).answers(500),
            [List("", "t", 500), 0.8, List("", "t", 500)],
            id="500 at a page: the same page",
        ),
        pytest.param(
            lambda t: t.lists(page(pod("a"), version=1, more="t"), page(pod("b"), version=1, more="t")),
            [List("", "t", 500), 0.8, List("", "", 250)],
            id="a continue token that leads to itself: again from the beginning",
        ),
        pytest.param(
            lambda t: t.lists(page(pod("a"), version=1, more="t")).answers(400),
            [List("", "t", 500), 0.8, FIRST],
            id="a continue token that is rejected",
        ),
    ],
)
def test_after_a_list(do: Callable[[Conversation], Any], then: list[Any]) -> None:
    """What follows each way in which a list can fail."""
    talk = Conversation()
    do(talk)
    talk.next()
    assert talk.asked[1:] == then


def test_a_first_410_is_listed_at_once_and_a_chain_of_them_backs_off() -> None:
    """One list a 410, and no storm when every list is followed by another 410."""
    talk = Conversation()
    for _ in range(4):
        talk.lists(page(version=10)).answers(410)
    talk.next()
    assert talk.asked == [
        FIRST,
        watch("10"),
        FIRST,
        watch("10"),
        1.6,
        FIRST,
        watch("10"),
        3.2,
        FIRST,
        watch("10"),
        6.4,
        FIRST,
    ]


def storm(talk: Conversation, fail: Callable[[Conversation], Any]) -> int:
    """Requests in ten minutes when all fail."""
    while talk.now < 600.0:
        fail(talk)
    return len([request for request in talk.asked if not isinstance(request, float)])


def spread(talk: Conversation, fail: Callable[[Conversation], Any]) -> list[float]:
    """When the requests of ten minutes are made."""
    times: list[float] = []
    while talk.now < 600.0:
        talk.next()
        times.append(talk.now)
        fail(talk)
    return times


FAILURES = [
    *(
        pytest.param(lambda t, s=s: t.protocol.answered(s, now=t.now), id=str(s))
        for s in (401, 403, 404, 429, 500, 503)
    ),
    *(
        pytest.param(lambda t, r=r: t.protocol.failed(r, now=t.now), id=str(r))
        for r in (FailureReason.REFUSED, FailureReason.RESET, FailureReason.TIMEOUT, FailureReason.TLS)
    ),
]


@pytest.mark.parametrize("fail", [*FAILURES, pytest.param(lambda t: t.protocol.answered(410, now=t.now), id="410")])
@pytest.mark.parametrize("roll", [0.0, 0.99])
def test_ten_minutes_of_failed_lists_are_at_most_30_requests(fail: Callable[[Conversation], Any], roll: float) -> None:
    """No failure makes a storm of lists: after two minutes at most 0.04 requests a second."""
    times = spread(Conversation(random=lambda: roll), fail)
    assert len(times) <= 30
    assert len([at for at in times if at >= 120]) <= 0.04 * 480


@pytest.mark.parametrize("fail", FAILURES)
@pytest.mark.parametrize("roll", [0.0, 0.99])
def test_ten_minutes_of_failed_watches_are_at_most_30_requests(
    fail: Callable[[Conversation], Any], roll: float
) -> None:
    """No failure makes a storm of watches, lists in between included."""

    def list_or_fail(talk: Conversation) -> None:
        if isinstance(talk.protocol.next(now=talk.now), List):
            talk.protocol.page(page(version=10), now=talk.now)
        else:
            fail(talk)

    times = spread(Conversation(random=lambda: roll), list_or_fail)
    assert len(times) <= 30
    assert len([at for at in times if at >= 120]) <= 0.04 * 480


def test_a_poisoned_stream_does_not_storm() -> None:
    """A line that can not be read does not count as progress, so a watch that shows only such lines backs off."""
    talk = Conversation().lists(page(version=10))
    poison = b'{"type": "ADDED", "object": 7}\n'

    def fail(talk: Conversation) -> None:
        if isinstance(talk.protocol.next(now=talk.now + 1000), List):
            talk.lists(page(version=10))
        else:
            talk.watches(poison, lasts=0.0, end=FailureReason.RESET)

    assert storm(talk, fail) <= 31
    assert [o.reason for o in talk.got if isinstance(o, Malformed)].count(MalformedReason.NOT_AN_OBJECT) >= 20


def test_a_watch_that_fails_for_five_minutes_is_listed_anew() -> None:
    """A cursor that only ever gets errors is given up, once in five minutes."""
    talk = Conversation().lists(page(version=10))
    while not isinstance(talk.next(), List):
        talk.protocol.answered(500, now=talk.now)
    assert 300 <= talk.now <= 360


@pytest.mark.parametrize("failure", [FailureReason.THROTTLED, FailureReason.REFUSED])
def test_throttling_and_refusals_never_lead_to_a_list(failure: FailureReason) -> None:
    """A busy or absent API server is not made busier with lists."""
    talk = Conversation().lists(page(version=10))
    while talk.now < 3600:
        talk.fails(failure)
    assert [request for request in talk.asked if isinstance(request, List)] == [FIRST]


def test_malformed_items_are_reported_and_the_others_delivered() -> None:
    """A bad item costs itself."""
    talk = Conversation().lists(page({"metadata": None}, pod("a"), version=10))
    talk.watches(b"nonsense\n" + b"\n" + line("BORED", pod("b")) + line("ADDED", pod("c", version=11)))
    assert talk.changes() == [("ADDED", "a"), ("ADDED", "c")]
    reasons = [o.reason for o in talk.got if isinstance(o, Malformed)]
    assert reasons == [MalformedReason.NO_METADATA, MalformedReason.NOT_JSON, MalformedReason.UNKNOWN_TYPE]


def test_what_follows_an_error_line_is_ignored() -> None:
    """The stream is over with its ERROR."""
    talk = Conversation().lists(page(version=10)).watches(GONE_LINE + line("ADDED", pod("a", version=11)))
    assert talk.changes() == []


STREAM = (
    line("ADDED", pod("a", version=11))
    + line("MODIFIED", pod("ä", version=12))
    + bookmark(13)
    + line("DELETED", pod("a", version=14))
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_chunks_of_any_size(size: int) -> None:
    """Chunk boundaries within lines, and within characters, change nothing."""
    talk = Conversation().lists(page(version=10))
    talk.watches(*(STREAM[i : i + size] for i in range(0, len(STREAM), size)))
    assert talk.changes() == [("ADDED", "a"), ("MODIFIED", "ä"), ("DELETED", "a")]
    assert talk.next() == watch("14")


def test_a_cut_at_every_byte_loses_and_doubles_nothing() -> None:
    """Wherever the connection breaks, the resumed watch continues behind the last whole line."""
    lines = STREAM.splitlines(keepends=True)
    for cut in range(len(STREAM) + 1):
        talk = Conversation().lists(page(version=10)).watches(STREAM[:cut], end=FailureReason.RESET)
        version = int(talk.next().resource_version)
        talk.protocol.opened(now=talk.now)
        rest = b"".join(lines[max(version - 10, 0) :])
        talk.got += talk.protocol.chunk(rest, now=talk.now)
        assert talk.changes() == [("ADDED", "a"), ("MODIFIED", "ä"), ("DELETED", "a")], cut


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_are_survived_and_the_next_line_is_read(noise: bytes, body: bytes) -> None:
    """No bytes stop the stream or raise, as a list or as a watch, unless they spell an ERROR."""
    Conversation().lists(body)
    talk = Conversation().lists(page(version=10))
    talk.watches(noise + b"\n", line("ADDED", pod("a", version=11)))
    assert ("ADDED", "a") in talk.changes()


def test_objects_that_went_during_a_gap_are_deleted() -> None:
    """After 410 everything is shown again, and what is no longer there is DELETED."""
    talk = Conversation().lists(page(pod("a"), pod("b"), version=10))
    talk.watches(line("ADDED", pod("c", version=11)), line("DELETED", pod("a", version=12)), GONE_LINE)
    talk.got.clear()
    talk.lists(page(pod("b"), version=50, more="t"), page(pod("d"), version=50))
    assert talk.changes() == [("ADDED", "b"), ("ADDED", "d"), ("DELETED", "c")]
    assert talk.got[-1] == Progress(50, end_of_list=True, cursor="50")
    assert talk.protocol.relists == 1


def test_a_gone_object_is_told_with_what_identifies_it() -> None:
    """The synthesised DELETED has the uid, the owners, and JSON for a capture file."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "rs", "controller": True}
    thing = pod("a", version=5)
    thing["metadata"]["ownerReferences"] = [owner]
    talk = Conversation().lists(page(thing, version=10)).answers(410).lists(page(version=20))
    gone = next(o for o in talk.got if isinstance(o, Change) and o.type == "DELETED")
    assert (gone.object.uid, gone.object.name, gone.object.namespace) == ("uid-a", "a", "shop")
    written = json.loads(bytes(gone.raw))
    assert written["kind"] == "Pod"
    assert written["metadata"]["uid"] == "uid-a"
    assert written["metadata"]["ownerReferences"] == [owner]


def test_a_restarted_list_does_not_delete_what_its_first_try_had_not_shown() -> None:
    """410 at a page: only the complete second try decides what has gone."""
    talk = Conversation().lists(page(pod("a"), pod("b"), version=10)).answers(410)
    talk.lists(page(pod("a"), version=20, more="t")).answers(410)
    assert ("DELETED", "b") not in talk.changes()
    talk.lists(page(pod("b"), version=30))
    assert talk.changes()[-1] == ("DELETED", "a")


def test_a_replaced_object_is_another_object() -> None:
    """Same name, other uid: the old one went."""
    talk = (
        Conversation()
        .lists(page(pod("a", uid="one"), version=10))
        .answers(410)
        .lists(page(pod("a", uid="two"), version=20))
    )
    assert [(o.type, o.object.uid) for o in talk.got if isinstance(o, Change)][1:] == [
        ("ADDED", "two"),
        ("DELETED", "one"),
    ]


def test_known_objects_are_bounded_and_forgetting_is_counted() -> None:
    """Beyond the capacity the longest unchanged ones are forgotten: their disappearance goes unnoticed."""
    talk = Conversation(known_capacity=2).lists(page(pod("a"), pod("b"), pod("c"), version=10))
    assert (len(talk.protocol.known), talk.protocol.known.forgotten) == (2, 1)
    talk.answers(410).lists(page(version=20))
    assert [name for type_, name in talk.changes() if type_ == "DELETED"] == ["b", "c"]


def at(second: int) -> str:
    """A time of day."""
    return f"2026-01-01T00:00:{second:02}Z"


def test_listed_events_come_in_order_of_time_and_are_never_told_gone() -> None:
    """Lists come in order of names; an Event that expired says nothing."""
    talk = Conversation(resource=EVENTS)
    talk.lists(
        page(event("a", at=at(3)), event("b", at=at(1)), version=10, more="t"), page(event("c", at=at(2)), version=10)
    )
    assert talk.changes() == [("ADDED", "b"), ("ADDED", "c"), ("ADDED", "a")]
    talk.answers(410).lists(page(version=20))
    assert [type_ for type_, _ in talk.changes()] == ["ADDED"] * 3


def test_sorting_events_holds_a_bounded_number() -> None:
    """Beyond the capacity the earliest held ones go out: nothing is lost, the order is as good as the room allows."""
    talk = Conversation(resource=EVENTS, sort_capacity=2)
    talk.lists(
        page(*(event(name, at=at(second)) for name, second in [("a", 9), ("b", 3), ("c", 5), ("d", 1)]), version=10)
    )
    assert [name for _, name in talk.changes()] == ["b", "d", "c", "a"]


def test_sorting_events_holds_bounded_bytes() -> None:
    """Long messages leave room for fewer of them, and none of them keeps the page that it came with."""
    talk = Conversation(resource=EVENTS, sort_bytes=3_000)
    things = [
        event(name, at=at(second), message="x" * 1_000) for name, second in [("a", 9), ("b", 3), ("c", 5), ("d", 1)]
    ]
    talk.lists(page(*things, version=10))
    assert [name for _, name in talk.changes()] == ["b", "d", "c", "a"]
    talk.answers(410).lists(page(*things, version=20))  # a list that begins anew has all the room again
    assert [name for _, name in talk.changes()][4:] == ["b", "d", "c", "a"]
    talk.answers(410).lists(page(event("long", message="x" * 4_000), event("short", at=at(1)), version=30))
    assert [name for _, name in talk.changes()][8:] == ["long", "short"]


def test_an_event_that_is_shed_moves_the_cursor_and_is_not_read() -> None:
    """What is asked is its namespace; the others are handed out as ever."""
    talk = Conversation(resource=EVENTS).lists(page(version=10))
    talk.next()
    talk.protocol.opened(now=talk.now)
    lines = []
    for version, namespace in [(11, "noisy"), (12, "quiet"), (13, "noisy")]:
        thing = event(f"e{version}", namespace=namespace)
        thing["metadata"]["resourceVersion"] = str(version)
        lines.append(line("ADDED", thing))
    got = talk.protocol.chunk(b"".join(lines), now=talk.now, sheds=lambda seen: seen.namespace == "noisy")
    assert [o.object.name for o in got if isinstance(o, Change)] == ["e12"]
    talk.protocol.failed(FailureReason.RESET, now=talk.now)
    request = talk.next()
    assert isinstance(request, Watch)
    assert request.resource_version == "13"


def test_what_can_not_be_shed_is_read() -> None:
    """A version that is no number, a bookmark, an error: nobody is asked."""
    talk = Conversation(resource=EVENTS).lists(page(version=10))
    talk.next()
    talk.protocol.opened(now=talk.now)
    thing = event("a")
    thing["metadata"]["resourceVersion"] = "opaque"
    got = talk.protocol.chunk(line("ADDED", thing) + bookmark(12) + GONE_LINE, now=talk.now, sheds=lambda _: True)
    assert [type(o) for o in got] == [Change, Progress, Failed]


def test_a_missing_right_is_told_once_and_tried_every_five_minutes() -> None:
    """403 degrades; when the right is granted, the watch begins as if nothing had been."""
    talk = Conversation().answers(403).answers(403).answers(403)
    assert [o for o in talk.got if isinstance(o, Degraded)] == [Degraded("list", FailureReason.FORBIDDEN)]
    assert talk.protocol.state is State.FORBIDDEN
    talk.lists(page(pod("a"), version=10)).watches()
    assert talk.protocol.state is State.WATCHING
    assert talk.asked[:4] == [FIRST, 300.0, FIRST, 300.0]


def test_a_right_that_is_missing_only_for_watching_is_told_as_such() -> None:
    """The verb that is missing is named; the list keeps what is known fresh, slowly."""
    talk = Conversation().lists(page(version=10))
    while talk.protocol.degraded is None:
        assert talk.now < 120
        talk.answers(403)
    talk.lists(page(version=20)).answers(403)
    assert [o for o in talk.got if isinstance(o, Degraded)] == [Degraded("watch", FailureReason.FORBIDDEN)]
    assert [request for request in talk.asked if isinstance(request, List)] == [FIRST, FIRST]


@pytest.mark.parametrize("status", [403, 404])
def test_what_could_be_read_is_not_given_up_for_a_minute_of_refusals(status: int) -> None:
    """An API server that has just started refuses what it will allow: no list, no gap, nothing told."""
    talk = Conversation().lists(page(version=10))
    while talk.now < 45:
        talk.answers(status)
    talk.watches(line("ADDED", pod("a", version=11)))
    assert talk.changes() == [("ADDED", "a")]
    assert [o for o in talk.got if isinstance(o, Degraded)] == []
    assert [request for request in talk.asked if isinstance(request, List)] == [FIRST]


def test_a_list_that_never_ends_is_given_up() -> None:
    """Pages without end, full or empty: a bounded number of requests, each try further apart; nothing is taken for gone."""
    for things, most in ((["x"], 2_001), ([], 21)):
        talk, number = Conversation().lists(page(pod("a"), version=10)).answers(410), 0
        while not any(isinstance(o, Failed) and o.reason is FailureReason.UNREADABLE for o in talk.got):
            number += 1
            talk.lists(page(*(pod(name) for name in things), version=20, more=f"t{number}"))
        assert number <= most
        assert isinstance(talk.protocol.next(now=talk.now), Wait)
        assert ("DELETED", "a") not in talk.changes()


def test_pages_shrink_in_trouble_and_grow_again() -> None:
    """An unreadable page halves the next ones; every whole list doubles them up to the setting."""
    talk = Conversation().lists(b"{").lists(b"{").lists(page(pod("a"), version=10)).answers(410)
    talk.lists(page(pod("a"), version=20)).answers(410)
    limits = [request.limit for request in talk.asked if isinstance(request, List)]
    assert limits == [500, 250, 125, 250]
    assert talk.next().limit == 500


def test_pages_may_be_shorter_than_asked_for() -> None:
    """The token says whether there is more, not the size."""
    talk = Conversation(page_size=3)
    talk.lists(page(pod("a"), pod("b"), pod("c"), version=10, more="t"), page(pod("d"), version=10, more="u"))
    talk.lists(page(version=10))
    assert [name for _, name in talk.changes()] == ["a", "b", "c", "d"]
    assert talk.protocol.synced


def test_a_page_that_fails_for_minutes_is_asked_for_no_more() -> None:
    """The list begins again: a token may be bad in a way that nobody says."""
    talk = Conversation().lists(page(pod("a"), version=10, more="t"))
    while talk.next() != FIRST:
        talk.protocol.answered(500, now=talk.now)
    assert 300 <= talk.now <= 360


def test_a_history_that_goes_back_is_told() -> None:
    """A list older than what was seen before it: etcd was restored. The watch goes on from the list."""
    talk = Conversation().lists(page(pod("a", version=90), version=100)).watches(bookmark(120)).answers(410)
    talk.lists(page(pod("a", version=40), version=50))
    assert isinstance(talk.got[-1], Rewound)
    assert talk.next() == watch("50")
    talk.protocol.answered(410, now=talk.now)
    talk.lists(page(pod("a", version=40), version=51))
    assert [type(o) for o in talk.got].count(Rewound) == 1


def test_an_api_server_without_bookmarks_is_listed_ever_more_rarely() -> None:
    """Silence is all that it has to say when nothing happens: seven lists in two hours, and then one in forty minutes."""
    talk = Conversation()
    while talk.now < 2 * 3600:
        if isinstance(talk.next(), List):
            talk.got += talk.protocol.page(page(version=10), now=talk.now)
        else:
            talk.protocol.opened(now=talk.now)
            talk.now += 75
            talk.protocol.failed(FailureReason.SILENT, now=talk.now)
    assert len([request for request in talk.asked if isinstance(request, List)]) == 7


def test_events_are_watched_for_a_minute_at_most() -> None:
    """They have no bookmarks: the end of a watch is the only sign of life of a quiet cluster, and no failure."""
    assert Conversation(resource=EVENTS).lists(page(version=10)).next() == Watch("10", 45)
    talk = Conversation(resource=EVENTS, random=lambda: 0.9999).lists(page(version=10))
    while talk.now < 3600:
        talk.watches(lasts=59.0)
        assert talk.protocol.state is State.WATCHING
    assert [o for o in talk.got if isinstance(o, Failed)] == []
    assert len(talk.asked) <= 63


def test_a_line_that_trickles_is_left() -> None:
    """Bytes come, but no line is ever whole: that is silence, five minutes at the most."""
    talk = Conversation().lists(page(version=10))
    talk.next()
    talk.protocol.opened(now=talk.now)
    while talk.protocol.streaming:
        assert talk.now < 310
        talk.now += 10
        talk.got += talk.protocol.chunk(b"{", now=talk.now)
    assert talk.got[-1] == Failed("watch", FailureReason.SILENT)
    assert talk.next() == watch("10")


def requests_in_ten_minutes(lasts: float, *chunks: Callable[[int], bytes]) -> int:
    """How many watches, when each lasts so long and shows this."""
    talk, number = Conversation().lists(page(version=10)), 0
    while talk.now < 600:
        if isinstance(talk.protocol.next(now=talk.now + 1000), List):
            talk.lists(page(version=10))
        number += 1
        talk.watches(*(chunk(number) for chunk in chunks), lasts=lasts)
    return number


def test_watches_that_end_at_once_do_not_storm() -> None:
    """Not even when each is good for a line (one a second, so nothing waits long), or just not short enough to be a failure."""
    assert requests_in_ten_minutes(0.0) <= 30
    assert requests_in_ten_minutes(0.0, lambda number: line("ADDED", pod("a", version=10 + number))) <= 606
    assert requests_in_ten_minutes(1.5) <= 30


def test_failures_are_told_with_verb_and_reason_and_states_follow() -> None:
    """For counters and health."""
    talk = Conversation()
    assert talk.protocol.state is State.LISTING
    talk.answers(503)
    assert talk.protocol.state is State.RETRYING
    talk.lists(page(version=10)).answers(410)
    assert [o for o in talk.got if isinstance(o, Failed)] == [
        Failed("list", FailureReason.SERVER_ERROR),
        Failed("watch", FailureReason.GONE),
    ]
