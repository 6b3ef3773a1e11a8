"""The span that brought a change about: W3C trace contexts in annotations."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kspanpy.core.changes.tracecontext import TraceContext, fresh, parse
from kspanpy.core.model import Link, OwnerReference, Span
from kspanpy.core.telling.attributes import is_root
from tests.core.cluster import Cluster
from tests.core.versions import WEB

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
OTHER = f"00-{'a' * 32}-{SPAN}-00"
CONTEXT = TraceContext(bytes.fromhex(TRACE), bytes.fromhex(SPAN))
KEY = "tracing.k8s.io/traceparent"


class TestParse:
    """https://www.w3.org/TR/trace-context-2/#traceparent-header"""

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(PARENT, id="version 00"),
            pytest.param(PARENT[:-2] + "00", id="not sampled"),
            pytest.param(PARENT[:-2] + "ff", id="flags that are not known"),
            pytest.param("01" + PARENT[2:], id="a later version"),
            pytest.param("cc" + PARENT[2:] + "-what-the-future-brings", id="a later version that says more"),
        ],
    )
    def test_valid(self, text):
        """The ids are known."""
        assert parse(text) == CONTEXT

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("", id="empty"),
            pytest.param("ff" + PARENT[2:], id="version ff"),
            pytest.param(PARENT + "-more", id="version 00 that says more"),
            pytest.param("cc" + PARENT[2:] + ".more", id="a later version that goes on without a dash"),
            pytest.param(PARENT.upper(), id="upper case"),
            pytest.param(f"00-{'0' * 32}-{SPAN}-01", id="no trace id"),
            pytest.param(f"00-{TRACE}-{'0' * 16}-01", id="no span id"),
            pytest.param(PARENT[:-1], id="too short"),
            pytest.param(" " + PARENT, id="a space before"),
            pytest.param(PARENT + "\n", id="a line end behind"),
            pytest.param(PARENT.replace("-", "_"), id="no dashes"),
        ],
    )
    def test_invalid(self, text):
        """Then there is none."""
        assert parse(text) is None

    @given(st.text(max_size=80) | st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{30,33}-[0-9a-f]{15,17}-[0-9a-f]{1,3}"))
    def test_any_text(self, text):
        """It never raises, and what it takes has ids."""
        context = parse(text, text)
        assert context is None or (any(context.trace_id) and any(context.span_id))

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            ("congo=t61rcWkgMzE", "congo=t61rcWkgMzE"),
            ("a=1, fw529a3039@dt=x;y", "a=1, fw529a3039@dt=x;y"),
            ("no equals sign", ""),
            ("Upper=1", ""),
            (",".join(f"k{n}=1" for n in range(33)), ""),
            ("k=" + "x" * 600, ""),
            ("k=1\n", ""),
        ],
    )
    def test_a_state_that_is_not_valid_is_left_out(self, state, expected):
        """The parent counts all the same."""
        assert parse(PARENT, state) == TraceContext(CONTEXT.trace_id, CONTEXT.span_id, expected)


class TestFresh:
    """The annotation stays on the object after the change with which it came."""

    @pytest.mark.parametrize(
        ("before", "after", "keys", "expected"),
        [
            pytest.param({}, {KEY: PARENT}, [KEY], CONTEXT, id="it came"),
            pytest.param({KEY: OTHER}, {KEY: PARENT}, [KEY], CONTEXT, id="it was rewritten"),
            pytest.param({KEY: PARENT}, {KEY: PARENT}, [KEY], None, id="it was there before"),
            pytest.param({KEY: PARENT}, {}, [KEY], None, id="it went"),
            pytest.param(None, {KEY: PARENT}, [KEY], CONTEXT, id="with a new object"),
            pytest.param({}, {KEY: PARENT}, [], None, id="nobody reads it"),
            pytest.param({}, {"ci/traceparent": PARENT}, [KEY], None, id="another key"),
            pytest.param({}, {"ci/traceparent": PARENT}, [KEY, "ci/traceparent"], CONTEXT, id="a key of the user"),
            pytest.param({}, {KEY: "x", "b": PARENT}, [KEY, "b"], CONTEXT, id="the first one that can be read"),
            pytest.param({}, {KEY: OTHER, "b": PARENT}, ["b", KEY], CONTEXT, id="the first one of the list"),
            pytest.param({KEY: OTHER}, {KEY: OTHER, "b": PARENT}, [KEY, "b"], CONTEXT, id="the one that is new"),
            pytest.param(
                {},
                {"tekton": json.dumps({"traceparent": PARENT})},
                ["tekton"],
                CONTEXT,
                id="Tekton writes headers as JSON",
            ),
            pytest.param({}, {"tekton": '{"traceparent": 1}'}, ["tekton"], None, id="JSON that is something else"),
        ],
    )
    def test_only_what_came_with_the_change(self, before, after, keys, expected):
        """By comparing the versions."""
        old = None if before is None else msgspec.structs.replace(WEB, annotations=before)
        assert fresh(old, msgspec.structs.replace(WEB, annotations=after), keys) == expected

    def test_what_an_owner_made_may_carry_a_copy(self):
        """A CronJob writes the same annotations on each of its Jobs."""
        owner = OwnerReference("batch/v1", "CronJob", "nightly", "c", controller=True)
        job = msgspec.structs.replace(WEB, kind="Job", owners=(owner,), annotations={KEY: PARENT})
        assert fresh(None, job, [KEY]) is None

    def test_its_state_stands_beside_it(self):
        """Under the sister key."""
        notes = {KEY: PARENT, "tracing.k8s.io/tracestate": "a=1", "tracestate": "b=2"}
        context = fresh(None, msgspec.structs.replace(WEB, annotations=notes), [KEY])
        assert context is not None
        assert context.state == "a=1"


def rolled_out(*contexts: str, key: str = KEY, **options: object) -> list[Span]:
    """The spans of a Deployment that changes its image with each of these contexts, without those of its creation."""
    cluster = Cluster(**options)
    web = cluster.deployment()
    cluster.settle(web)
    cluster.wait(60)
    created = len(cluster.spans)
    for number, context in enumerate(contexts, 2):
        cluster.set_image(web, f"web:{number}", annotations={key: context})
        rs = cluster.replicaset(web, str(number), annotations={key: context})
        cluster.ready(cluster.pod(rs))
        cluster.event(web, "ScalingReplicaSet", f"Scaled up replica set {rs.name} from 0 to 1")
        cluster.settle(web)
        cluster.wait(60)
    return cluster.spans[created:]


def roots(spans: list[Span]) -> list[Span]:
    """Those that tell how a story ended."""
    return [span for span in spans if is_root(span)]


class TestStories:
    """What becomes of it."""

    LINK = Link(CONTEXT.trace_id, CONTEXT.span_id, "traceparent")

    def test_a_link(self):
        """From the root span; the next change has none."""
        first, second = roots(rolled_out(PARENT, PARENT))
        assert first.links == (self.LINK,)
        assert second.links == ()
        assert first.trace_id != CONTEXT.trace_id

    def test_ignored(self):
        """If the user wants it so."""
        (root,) = roots(rolled_out(PARENT, traceparent="ignore"))
        assert root.links == ()

    def test_another_annotation(self):
        """Besides that of Kubernetes."""
        (root,) = roots(rolled_out(PARENT, key="ci/traceparent", traceparent_annotations=("ci/traceparent",)))
        assert root.links == (self.LINK,)

    def test_the_parent(self):
        """The story is a part of that trace, with the span ids that it has in its own."""
        own = rolled_out(PARENT, traceparent="ignore")
        spans = rolled_out(PARENT, traceparent="parent")
        assert [span.span_id for span in spans] == [span.span_id for span in own]
        assert {span.trace_id for span in spans} == {CONTEXT.trace_id}
        assert [(root.parent_id, root.links) for root in roots(spans)] == [(CONTEXT.span_id, ())]

    def test_two_stories_of_one_trace(self):
        """A pipeline that changes an object twice, from two of its spans: no two spans have the same id."""
        spans = rolled_out(PARENT, f"00-{TRACE}-{'b' * 16}-01", traceparent="parent")
        assert [root.parent_id.hex() for root in roots(spans)] == [SPAN, "b" * 16]
        assert len({span.span_id for span in spans}) == len(spans)
        assert {span.trace_id for span in spans} == {CONTEXT.trace_id}

    def test_a_context_that_can_not_be_read(self):
        """It is no context."""
        (root,) = roots(rolled_out("00-x", traceparent="parent"))
        assert (root.parent_id, root.links) == (b"", ())

    def test_a_story_that_outlives_the_cap_goes_on_in_a_trace_of_its_own(self):
        """It is linked to the part before; one trace does not grow for hours."""
        cluster = Cluster(traceparent="parent")
        web = cluster.deployment(annotations={KEY: PARENT})
        cluster.wait(3400)
        cluster.event(web, "ScalingReplicaSet", "Scaled up replica set web-1 from 0 to 1")
        cluster.wait(10)
        cluster.finish()
        first, second = roots(cluster.spans)
        assert first.trace_id == CONTEXT.trace_id
        assert (second.parent_id, [link.relation for link in second.links]) == (b"", ["continues"])
        assert second.links[0].trace_id == CONTEXT.trace_id
