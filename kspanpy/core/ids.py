"""Trace and span ids: pure functions of cluster content.

Never of the clock, the process or the order of arrival: a span that has to be sent again after a retry or a restart keeps
its id, and two replicas agree without talking. The fields are joined with a separator that no uid or key contains.
"""

from __future__ import annotations

from hashlib import blake2b


def trace_id(cluster_uid: str, root_uid: str, story_key: str) -> bytes:
    """16 bytes, never all zero (an all-zero id is invalid in OTLP)."""
    return _digest(16, f"trace\x1f{cluster_uid}\x1f{root_uid}\x1f{story_key}")


def event_span_id(event_uid: str, count: int) -> bytes:
    """8 bytes for one occurrence: one observed step of one Event."""
    return _digest(8, f"event\x1f{event_uid}\x1f{count}")


def lifecycle_span_id(trace: bytes, object_uid: str, phase: str) -> bytes:
    """8 bytes for one phase of one object in one story."""
    return _digest(8, f"lifecycle\x1f{trace.hex()}\x1f{object_uid}\x1f{phase}")


def _digest(size: int, text: str) -> bytes:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()
    return digest if digest.strip(b"\0") else b"\x01" * size
