"""Spans grouped into stories, siblings that look alike folded into one line. Pure.

Invariants: every span is in exactly one place or counted by exactly one `Fold`, also when parents are missing or form a ring
(spans may come from a file); children are in order of time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

from kspanpy.core.model import Span

_SHAPE = 200  # characters of a message in which its first words are looked for
FOLD_OVER = 3  # so many siblings that look alike are shown one by one


class Node(msgspec.Struct):
    """A span and what it caused."""

    span: Span
    children: list[Node] = []

    def walk(self) -> Iterator[Node]:
        """The node and all below it, parents first."""
        pending = [self]
        while pending:
            node = pending.pop()
            yield node
            pending.extend(reversed(node.children))


class Fold(msgspec.Struct):
    """Siblings that look like the one shown before them."""

    like: Node
    nodes: list[Node]


Row: TypeAlias = Node | Fold


class Story(msgspec.Struct):
    """One trace. `root` is the first span without a parent; `strays` are spans whose parent is not among the spans."""

    trace_id: bytes
    root: Node
    strays: list[Node]
    spans: int

    @property
    def start_ns(self) -> int:
        """When it began."""
        return min(node.span.start_ns for node in (self.root, *self.strays))

    @property
    def end_ns(self) -> int:
        """When it ended."""
        return max(node.span.end_ns for node in (self.root, *self.strays))

    def text(self, key: str) -> str:
        """An attribute of the root."""
        return str(self.root.span.attributes.get(key, ""))

    @property
    def object(self) -> str:
        """`namespace/name` of the root object."""
        return "/".join(part for part in (self.text("k8s.namespace.name"), self.text("k8s.object.name")) if part)

    @property
    def failed(self) -> bool:
        """Whether the story ended in an error."""
        return bool(self.root.span.error)

    @property
    def warnings(self) -> int:
        """Event spans that are Warnings."""
        return sum(is_warning(node.span) for top in (self.root, *self.strays) for node in top.walk())


def is_warning(span: Span) -> bool:
    """Whether the span is a Warning Event."""
    return span.attributes.get("k8s.event.type") == "Warning"


def is_event(span: Span) -> bool:
    """Whether the span is an occurrence of an Event, not a lifecycle."""
    return "k8s.event.uid" in span.attributes


def stories(spans: Iterable[Span]) -> list[Story]:
    """The stories that `spans` tell, in order of time."""
    traces: defaultdict[bytes, dict[bytes, Span]] = defaultdict(dict)
    for span in spans:
        traces[span.trace_id].setdefault(span.span_id, span)
    return sorted((_story(trace) for trace in traces.values()), key=lambda story: (story.start_ns, story.trace_id))


def _story(spans: dict[bytes, Span]) -> Story:
    nodes = {span_id: Node(span) for span_id, span in spans.items()}
    tops = []
    for node in sorted(nodes.values(), key=_order):
        parent = nodes.get(node.span.parent_id)
        if parent is None or parent is node:
            tops.append(node)
        else:
            parent.children.append(node)
    reached = {id(node) for top in tops for node in top.walk()}
    for node in nodes.values():  # a ring of parents: cut it open
        if id(node) not in reached:
            _cut(node, nodes)
            tops.append(node)
            reached.update(id(below) for below in node.walk())
    tops.sort(key=lambda node: (bool(node.span.parent_id), *_order(node)))
    return Story(tops[0].span.trace_id, tops[0], tops[1:], len(nodes))


def _cut(node: Node, nodes: dict[bytes, Node]) -> None:
    siblings = nodes[node.span.parent_id].children
    siblings[:] = [sibling for sibling in siblings if sibling is not node]


def _order(node: Node) -> tuple[int, int, bytes]:
    return node.span.start_ns, -node.span.end_ns, node.span.span_id


def fold(children: list[Node], *, over: int = FOLD_OVER) -> list[Row]:
    """`children` with those that look alike folded, where there are more than `over` of them.

    Of lifecycles the longest is shown, because that is what the others waited for; of repeated Events the first.
    """
    groups: defaultdict[tuple[object, ...], list[Node]] = defaultdict(list)
    for node in children:
        groups[_looks(node)].append(node)
    rows: list[Row] = []
    for node in children:
        group = groups[_looks(node)]
        if len(group) <= over:
            rows.append(node)
            continue
        shown = (
            group[0] if is_event(node.span) else max(group, key=lambda other: other.span.end_ns - other.span.start_ns)
        )
        if node is group[0]:
            rows += [shown, Fold(shown, [other for other in group if other is not shown])]
    return rows


def _looks(node: Node) -> tuple[object, ...]:
    if is_event(node.span):
        said = str(node.span.attributes.get("k8s.event.message", ""))[:_SHAPE].split()[:2]
        return node.span.name, node.span.service, bool(node.span.error), tuple(said)
    troubles = {below.span.name for below in node.walk() if below.span.error or is_warning(below.span)}
    return node.span.name, node.span.service, bool(node.span.error), frozenset(troubles)
