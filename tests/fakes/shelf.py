"""Shelves for tests: one in memory that can be made to fail, and a plain one in a file that outlives a killed process."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from kspanpy.export.queue import OVERHEAD, EncodedSpan


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


class FileShelf:
    """The smallest shelf in a file: one table, a transaction for each put."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS spans (number INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB, service TEXT, payload BLOB)"
        )

    def put(self, spans: Sequence[EncodedSpan]) -> int:
        """Store."""
        run = self._database.execute
        run("BEGIN")
        for span in spans:
            last = run(
                "INSERT INTO spans (key, service, payload) VALUES (?, ?, ?)", (span.key, span.service, span.payload)
            ).lastrowid
        run("COMMIT")
        return last - len(spans) + 1

    def load(self, after: int, *, spans: int, size: int) -> list[tuple[int, EncodedSpan]]:
        """The next ones."""
        rows = self._database.execute("SELECT * FROM spans WHERE number > ? ORDER BY number LIMIT ?", (after, spans))
        found: list[tuple[int, EncodedSpan]] = []
        for number, key, service, payload in rows:
            size -= len(payload) + OVERHEAD
            if found and size < 0:
                break
            found.append((number, EncodedSpan(key, service, payload)))
        return found

    def remove(self, numbers: Sequence[int]) -> None:
        """Forget."""
        self._database.execute("BEGIN")
        self._database.executemany("DELETE FROM spans WHERE number = ?", [(number,) for number in numbers])
        self._database.execute("COMMIT")

    def waiting(self) -> tuple[int, int]:
        """What is there."""
        count, size = self._database.execute("SELECT count(*), sum(length(payload)) FROM spans").fetchone()
        return count, (size or 0) + OVERHEAD * count
