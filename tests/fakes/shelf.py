"""A shelf in memory: what it holds outlives the pipeline, as a file outlives the process. It can be made to fail."""

from __future__ import annotations

from collections.abc import Sequence

from kspanpy.export.queue import EncodedSpan


class MemoryShelf:
    """See `kspanpy.export.shelf.Shelf`. `broken`: the names of the methods that raise OSError just now."""

    def __init__(self) -> None:
        self.spans: dict[int, EncodedSpan] = {}
        self.broken: set[str] = set()
        self.puts: list[int] = []
        self.loads: list[int] = []
        self.size = 0
        """Bytes."""
        self.highest = 0
        self._last = 0

    def put(self, spans: Sequence[EncodedSpan]) -> int:
        """Store."""
        self._fail_if_broken("put")
        assert spans, "never called without a span"
        first = self._last + 1
        for span in spans:
            self._last += 1
            self.spans[self._last] = span
            self.size += span.size
        self.puts.append(len(spans))
        self.highest = max(self.highest, self.size)
        return first

    def load(self, after: int, *, spans: int, size: int) -> list[tuple[int, EncodedSpan]]:
        """The next ones."""
        self._fail_if_broken("load")
        found: list[tuple[int, EncodedSpan]] = []
        for number in range(max(after + 1, next(iter(self.spans), 1)), self._last + 1):
            span = self.spans.get(number)
            if span is None:
                continue
            size -= span.size
            if found and (size < 0 or len(found) >= spans):
                break
            found.append((number, span))
        self.loads.append(len(found))
        return found

    def remove(self, numbers: Sequence[int]) -> None:
        """Forget."""
        self._fail_if_broken("remove")
        for number in numbers:
            self.size -= self.spans.pop(number).size

    def waiting(self) -> tuple[int, int]:
        """What is there."""
        self._fail_if_broken("waiting")
        return len(self.spans), self.size

    def _fail_if_broken(self, what: str) -> None:
        if what in self.broken:
            raise OSError(28, "No space left on device")
