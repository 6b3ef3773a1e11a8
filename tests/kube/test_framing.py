"""Bytes to lines."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from kspanpy.kube.framing import LineSplitter


def lines_of(chunks: list[bytes], capacity: int = 1_000) -> list[bytes | None]:
    """What comes out."""
    splitter = LineSplitter(capacity=capacity)
    return [found for chunk in chunks for found in splitter.feed(chunk)]


@given(
    st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")), max_size=10), st.lists(st.integers(0, 200))
)
def test_chunk_boundaries_mean_nothing(texts: list[bytes], cuts: list[int]) -> None:
    """Whatever the chunks, the lines are the same."""
    whole = b"".join(text + b"\n" for text in texts) + b"unfinished"
    edges = sorted({0, len(whole), *(min(cut, len(whole)) for cut in cuts)})
    chunks = [whole[start:end] for start, end in itertools.pairwise(edges)]
    assert lines_of(chunks) == texts


def test_an_unfinished_line_is_not_handed_out() -> None:
    """What follows the last newline is dropped with the connection."""
    assert lines_of([b"one\ntw", b"o"]) == [b"one"]


def test_a_line_beyond_the_capacity_is_skipped_and_the_next_one_is_read() -> None:
    """A giant costs itself only, however it is cut, and is never held in memory."""
    assert lines_of([b"a\n", b"x" * 8, b"x" * 8, b"x" * 8 + b"\nb\n"], capacity=10) == [b"a", None, b"b"]
    assert lines_of([b"x" * 11 + b"\nb\n"], capacity=10) == [None, b"b"]
    splitter = LineSplitter(capacity=10)
    for _ in range(100):
        assert list(splitter.feed(b"x" * 8)) == []
    assert sum(map(len, splitter._parts)) == 0
