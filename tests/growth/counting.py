"""What something costs, counted and not timed: calls, and bytes that are held."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

LAW = 11  # ten times the input costs at most so many times as much


def calls(work: Callable[..., Any], *args: Any) -> int:
    """How many functions are called, of Python and of C."""
    count = 0

    def note(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work(*args)
    finally:
        sys.setprofile(None)
    return count


def peak_bytes(work: Callable[..., Any], *args: Any) -> int:
    """The most memory that Python holds on top of what it held before, while this is done."""
    gc.collect()
    tracemalloc.start()
    try:
        work(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
