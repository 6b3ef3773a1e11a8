"""Text and lists of the cluster made safe to keep, and a count of what was not taken as it was written.

The counts are plain integers of the process, which a scrape reads: an ordinary text costs one look at its length and its characters.
Several watches decode at a time; an increment here is not interrupted by another thread (there is no call in it).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from kspanpy.core import sanitize

T = TypeVar("T")


class Altered(StrEnum):
    """What was done to a value. A closed list: it is a metric label."""

    CUT = "cut"  # a text was too long
    CLEANED = "cleaned"  # characters were removed or replaced: controls, overrides, half surrogates
    LEFT_OUT = "left_out"  # an entry of a list that was too long


class _Counts:
    __slots__ = ("cleaned", "cut", "left_out", "passed_over")

    def __init__(self) -> None:
        self.cleaned = self.cut = self.left_out = self.passed_over = 0


_counts = _Counts()


def counts() -> Mapping[Altered, int]:
    """How often, since the process began."""
    return {
        Altered.CUT: _counts.cut,
        Altered.CLEANED: _counts.cleaned,
        Altered.LEFT_OUT: _counts.left_out,
    }


def total() -> int:
    """A number that moves when something is altered or passed over."""
    return _counts.cut + _counts.cleaned + _counts.left_out + _counts.passed_over


def pass_over() -> None:
    """A long text stands where it means nothing. That is no loss, but nothing to remember either."""
    _counts.passed_over += 1


def clean(value: str, limit: int) -> str:
    """`value` as one safe line of at most `limit` characters."""
    if len(value) <= limit and value.isprintable():
        return value
    found = sanitize.text(value, limit)
    if len(value) > limit and (len(found) >= limit or len(value) > 4 * limit):
        _counts.cut += 1
    elif found != value:
        _counts.cleaned += 1
    return found


def first(values: list[T], limit: int) -> list[T]:
    """The first `limit` of these."""
    if len(values) <= limit:
        return values
    _counts.left_out += len(values) - limit
    return values[:limit]
