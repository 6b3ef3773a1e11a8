"""Spans as indented text that people can read and diff: what golden files hold, and what tests compare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from kspanpy.core.model import Link, Span

_MESSAGE = 100


def tree(spans: Iterable[Span]) -> str:
    """Only names: `  Pod startup web-1-x` under `Deployment rollout web`; stories and siblings in order of time."""
    lines = []
    for root, children in _stories(spans):
        lines += [f"{'  ' * depth}{_title(span)}" for depth, span in _walk(root, children)]
    return "\n".join(lines)


def golden(spans: Iterable[Span]) -> str:
    """Everything but the ids: names, objects, offsets, durations, services, errors, links (to stories by number)."""
    stories = list(_stories(spans))
    numbers = {root.trace_id: number for number, (root, _) in enumerate(stories, 1)}
    first_ns = stories[0][0].start_ns if stories else 0
    return "\n".join("\n".join(_story(*story, numbers, first_ns)) + "\n" for story in stories)


def _story(root: Span, children: dict[bytes, list[Span]], numbers: dict[bytes, int], first_ns: int) -> Iterator[str]:
    yield f"story {numbers[root.trace_id]}, {_seconds(root.start_ns - first_ns)} after the first"
    for key in ("kspanpy.change.summary", "kspanpy.change.manager", "kspanpy.outcome", "k8s.object.generation"):
        if key in root.attributes:
            yield f"{key}: {root.attributes[key]}"
    for depth, span in _walk(root, children):
        indent = "  " * depth
        offset, took = _seconds(span.start_ns - root.start_ns), _seconds(span.end_ns - span.start_ns)
        yield f"{indent}{_title(span)}{_message(span)}  [+{offset}, {took}, {span.service}]"
        if span.error:
            yield f"{indent}  ! {span.attributes.get('error.type', '-')}: {span.error[:_MESSAGE]}"
        for link in span.links:
            yield f"{indent}  -> {_link(link, numbers)}"


def _stories(spans: Iterable[Span]) -> Iterator[tuple[Span, dict[bytes, list[Span]]]]:
    traces: defaultdict[bytes, list[Span]] = defaultdict(list)
    for span in spans:
        traces[span.trace_id].append(span)
    found = []
    for trace in traces.values():
        roots = [span for span in trace if not span.parent_id]
        if len(roots) != 1:
            raise AssertionError(f"a trace with {len(roots)} roots: {[span.name for span in trace]}")
        children: defaultdict[bytes, list[Span]] = defaultdict(list)
        for span in sorted(trace, key=_order):
            if span.parent_id:
                children[span.parent_id].append(span)
        strays = set(children) - {span.span_id for span in trace}
        if strays:
            raise AssertionError(f"spans without a parent: {[s.name for stray in strays for s in children[stray]]}")
        found.append((roots[0], children))
    found.sort(key=lambda story: _order(story[0]))
    yield from found


def _order(span: Span) -> tuple[int, str, str, bytes]:
    return span.start_ns, span.name, str(span.attributes.get("k8s.object.name", "")), span.span_id


def _walk(span: Span, children: dict[bytes, list[Span]], depth: int = 0) -> Iterator[tuple[int, Span]]:
    yield depth, span
    for child in children.get(span.span_id, ()):
        yield from _walk(child, children, depth + 1)


def _title(span: Span) -> str:
    if "k8s.event.uid" in span.attributes:
        return span.name
    return f"{span.name} {span.attributes['k8s.object.name']}"


def _message(span: Span) -> str:
    if "k8s.event.uid" not in span.attributes:
        return ""
    count = span.attributes["k8s.event.count"]
    message = str(span.attributes["k8s.event.message"])
    message = message if len(message) <= _MESSAGE else message[: _MESSAGE - 1] + "…"
    return f"{f' ({count})' if count != 1 else ''}: {message}"


def _link(link: Link, numbers: dict[bytes, int]) -> str:
    return f"{link.relation}: story {numbers.get(link.trace_id, 'that is not here')}"


def _seconds(ns: int) -> str:
    return f"{ns / 1e9:.3f} s"
