"""Traces as Jaeger's query APIs tell them: v3 (OTLP) for what is there, v1 for the warnings of its own checks.

What is there is asked for raw: the checks would write their warnings into the stored spans of a trace that is not complete yet, and
the store in memory keeps them.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class Span:
    """One span, with the attributes of its resource."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start_ns: int
    end_ns: int
    error: bool
    attributes: dict[str, Any] = field(repr=False)

    @property
    def about(self) -> str:
        """The uid of the object."""
        return str(self.attributes.get("k8s.object.uid", ""))

    @property
    def event(self) -> tuple[str, int] | None:
        """(event uid, count) of an event span."""
        uid = self.attributes.get("k8s.event.uid")
        return (str(uid), int(self.attributes.get("k8s.event.count") or 1)) if uid else None


@dataclass(frozen=True)
class Trace:
    """The spans of one trace by id."""

    spans: dict[str, Span]

    @property
    def roots(self) -> list[Span]:
        """Spans without a parent."""
        return [span for span in self.spans.values() if not span.parent_id]

    @property
    def root(self) -> Span:
        """The only root."""
        (root,) = self.roots
        return root

    def parent(self, span: Span) -> Span | None:
        """The parent, if it is in the trace."""
        return self.spans.get(span.parent_id)

    def named(self, name: str) -> list[Span]:
        """The spans of that name."""
        return [span for span in self.spans.values() if span.name == name]


def _attributes(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair["value"].values()), None) for pair in pairs}


def _traces(answer: dict[str, Any]) -> dict[str, Trace]:
    found: dict[str, Trace] = {}
    for group in answer.get("result", {}).get("resourceSpans", []):
        base = _attributes(group.get("resource", {}).get("attributes", []))
        for scope in group.get("scopeSpans", []):
            for raw in scope.get("spans", []):
                span = Span(
                    trace_id=raw["traceId"],
                    span_id=raw["spanId"],
                    parent_id=raw.get("parentSpanId", ""),
                    name=raw["name"],
                    start_ns=int(raw["startTimeUnixNano"]),
                    end_ns=int(raw["endTimeUnixNano"]),
                    error=raw.get("status", {}).get("code") in (2, "STATUS_CODE_ERROR"),
                    attributes=base | _attributes(raw.get("attributes", [])),
                )
                found.setdefault(span.trace_id, Trace({})).spans[span.span_id] = span
    return found


class Jaeger:
    """Questions to one Jaeger."""

    def __init__(self, url: str) -> None:
        self.url = url

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        url = f"{self.url}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        try:
            with urllib.request.urlopen(url, timeout=60) as response:
                body = response.read()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return {}
            raise
        # v3 streams: a result object a line when there are many.
        merged: dict[str, Any] = {}
        for part in _documents(body.decode()):
            spans = part.get("result", {}).get("resourceSpans")
            if spans is None or not merged:
                merged = part
            else:
                merged["result"]["resourceSpans"].extend(spans)
        return merged

    def traces(self, service: str = "kubernetes", limit: int = 5000) -> dict[str, Trace]:
        """Every trace in which that service has a span, of the last hours."""
        now = datetime.now(UTC)
        return _traces(
            self._get(
                "/api/v3/traces",
                **{
                    "query.service_name": service,
                    "query.start_time_min": (now - timedelta(hours=3)).isoformat(),
                    "query.start_time_max": (now + timedelta(hours=1)).isoformat(),
                    "query.num_traces": str(limit),
                    "query.raw_traces": "true",
                },
            )
        )

    def services(self) -> list[str]:
        """Every service that has sent a span."""
        return list(self._get("/api/v3/services").get("services", []))

    def everything(self) -> dict[str, Trace]:
        """Every trace of every service."""
        found: dict[str, Trace] = {}
        for service in self.services():
            found |= self.traces(service)
        return found

    def trace(self, trace_id: str) -> Trace:
        """What there is of one trace by now."""
        return _traces(self._get(f"/api/v3/traces/{trace_id}", raw_traces="true")).get(trace_id, Trace({}))

    def warnings(self, trace_id: str) -> list[str]:
        """What Jaeger has to say against the spans of a trace: clock skew, duplicate ids, missing parents."""
        data = self._get(f"/api/traces/{trace_id}").get("data") or []
        return [
            f"{span['operationName']}: {warning}"
            for trace in data
            for span in trace["spans"]
            for warning in span.get("warnings") or []
        ]


def _documents(text: str) -> list[dict[str, Any]]:
    decoder, position, found = json.JSONDecoder(), 0, []
    while position < len(text):
        document, position = decoder.raw_decode(text, position)
        found.append(document)
        while position < len(text) and text[position].isspace():
            position += 1
    return found
