"""One SQLite file that holds what must survive the process: inputs since the last snapshot, watch cursors, spans not yet settled.

Each round of the loop is one transaction: what the linker took in, how far the watches were, how many spans it had made, and those
spans. So the file is never ahead of itself: after a crash the snapshot and the inputs give exactly the linker that was, and the spans
are exactly those that it had made and that nobody has settled.

Survives the end of the process in any form (WAL, no sync for each round). After the end of the node the last rounds may be missing, and
they are then seen again as the API server still holds them.

Safe for threads: the loop writes, the export reads and removes; each call is one short transaction.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from kspanpy.core.steps import Input
from kspanpy.state import inputs, snapshot
from kspanpy.state.errors import UnusableStateError

FILE: Final = "kspanpy.sqlite"
SNAPSHOT: Final = "linker.snapshot"

_VERSION: Final = 1
_MAGIC: Final = b"kspanpy linker snapshot 2\n"
_PAGES_PER_CHECKPOINT: Final = 4096  # 16 MiB
_MANY_PAGES: Final = 1024

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rounds (number INTEGER PRIMARY KEY AUTOINCREMENT, inputs BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS cursors
    (kind TEXT NOT NULL, namespace TEXT NOT NULL, cursor TEXT NOT NULL, PRIMARY KEY (kind, namespace)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spans
    (number INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL, service TEXT NOT NULL, payload BLOB NOT NULL);
"""

Row: TypeAlias = tuple[bytes, str, bytes]
"""Of a span: trace id and span id, service, encoded span."""
Target: TypeAlias = tuple[str, str]
"""What a watch shows: kind, namespace (empty: all)."""


class StateFile:
    """Open it with `StateFile.open`. Methods raise OSError when the disk does not take or give what it should.

    In memory it grows with one round, on disk with the inputs since the last snapshot and the spans that wait.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: int) -> None:
        self._folder = folder
        self._connection = connection
        self._lock = lock
        self._access = threading.Lock()
        self._inputs: list[tuple[int, Input]] = []
        self._cursors: dict[Target, str] = {}
        self._emitted: int | None = None
        self._is_restoring = False
        self.journal_bytes = 0  # of the inputs since the last snapshot
        self.broken = False
        """A round could not be written. What is on the disk is whole, but older; only a snapshot makes it new again."""

    @classmethod
    def open(cls, folder: Path, *, identity: str) -> StateFile:
        """Opens or makes the file of this cluster (`identity`). Raises OSError, or UnusableStateError: then `discard` helps."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BlockingIOError(f"{folder} is in use by another process") from None
            connection = _connect(folder / FILE)
            try:
                _prepare(connection, identity)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            os.close(lock)
            raise
        state = cls(folder, connection, lock)
        state.journal_bytes = _number(connection.execute("SELECT sum(length(inputs)) FROM rounds").fetchone()[0])
        return state

    @staticmethod
    def discard(folder: Path) -> None:
        """Puts what is there aside, replacing what was put aside before."""
        for name in (FILE, SNAPSHOT):
            with contextlib.suppress(FileNotFoundError):
                (folder / name).replace(folder / f"{name}.unusable")
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                (folder / f"{FILE}{suffix}").unlink()

    def close(self) -> None:
        """Frees the file. What has been committed stays."""
        with self._access:
            self._connection.close()
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    # -- the loop's rounds

    def record(self, taken: Sequence[tuple[int, Input]], cursors: Mapping[Target, str], *, emitted: int) -> None:
        """What the next transaction shall hold besides spans. `emitted`: how many spans the linker has made in all."""
        if self.broken:
            return
        self._inputs.extend(taken)
        self._cursors.update(cursors)
        self._emitted = emitted

    def commit(self) -> None:
        """Writes what has been recorded and not been written with spans."""
        if self._inputs or self._cursors:
            with self._round():
                pass

    @contextlib.contextmanager
    def _round(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """A transaction that holds what has been recorded. If it fails, nothing is written until the next snapshot."""
        if self.broken:
            raise OSError("the state on disk: waits for a new beginning")
        try:
            with self._transaction() as execute:
                self._write_round(execute)
                yield execute
        except OSError:
            self.broken = True
            raise
        finally:
            self._inputs, self._cursors, self._emitted = [], {}, None

    def _write_round(self, execute: Callable[..., sqlite3.Cursor]) -> None:
        if self._is_restoring:
            self._is_restoring = False
            execute("DELETE FROM facts WHERE name = 'restoring'")
        if self._inputs:
            record = inputs.encode(self._inputs)
            execute("INSERT INTO rounds (inputs) VALUES (?)", (record,))
            self.journal_bytes += len(record)
        for (kind, namespace), cursor in self._cursors.items():
            execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", (kind, namespace, cursor))
        if self._emitted is not None:
            execute("INSERT OR REPLACE INTO facts VALUES ('emitted', ?)", (str(self._emitted),))

    # -- spans

    def put(self, rows: Sequence[Row]) -> int:
        """Stores spans together with what has been recorded; gives the number of the first. Numbers are never used twice."""
        with self._round() as execute:
            last = 0
            for row in rows:
                last = execute("INSERT INTO spans (key, service, payload) VALUES (?, ?, ?)", row).lastrowid or 0
        return last - len(rows) + 1

    def load(self, after: int, *, spans: int, size: int, each: int = 0) -> list[tuple[int, Row]]:
        """The next spans with a number over `after`: at most so many, and (but for the first) so many bytes, `each` one more."""
        found: list[tuple[int, Row]] = []
        with self._guarded():
            query = "SELECT number, key, service, payload FROM spans WHERE number > ? ORDER BY number LIMIT ?"
            for number, key, service, payload in self._connection.execute(query, (after, spans)):
                size -= len(payload) + each
                if found and size < 0:
                    break
                found.append((number, (key, service, payload)))
        return found

    def remove(self, numbers: Sequence[int]) -> None:
        """These spans are settled."""
        with self._transaction() as execute:
            for first, last in _ranges(sorted(numbers)):
                execute("DELETE FROM spans WHERE number BETWEEN ? AND ?", (first, last))

    def waiting(self) -> tuple[int, int]:
        """How many spans are stored, and how many bytes they have."""
        with self._guarded():
            count, size = self._connection.execute("SELECT count(*), sum(length(payload)) FROM spans").fetchone()
        return _number(count), _number(size)

    # -- snapshots

    def snapshot(self, thing: object, cursors: Mapping[Target, str], *, emitted: int, fingerprint: str) -> int:
        """Writes `thing` as the new beginning; the inputs up to here are not needed any more. Gives its size in bytes."""
        with self._guarded():
            last = _number(self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'rounds'").fetchone())
        fresh = self._folder / f"{SNAPSHOT}.new"
        with open(fresh, "wb", opener=_private) as stream:
            stream.write(_MAGIC + f"{fingerprint} {last}\n".encode())
            size, crc = snapshot.dump(thing, stream)
            stream.write(snapshot.footer(size, crc))
        fresh.replace(self._folder / SNAPSHOT)
        self._inputs, self._cursors, self._emitted = [], dict(cursors), emitted
        self.broken, self.journal_bytes = False, 0
        with self._round() as execute:
            execute("DELETE FROM rounds WHERE number <= ?", (last,))
        self._give_back()
        return size

    def restore(self, *, fingerprint: str) -> tuple[Any, Iterator[tuple[int, Input]]]:
        """The last snapshot (None if there was none), and the inputs since. Raises UnusableStateError."""
        thing, last = self._read_snapshot(fingerprint)
        return thing, self._rounds(last)

    def begin_restoring(self, *, tries: int) -> None:
        """A state that ends the process must not do so for ever: raises UnusableStateError when `tries` were followed by no round."""
        with self._transaction() as execute:
            before = _number(execute("SELECT value FROM facts WHERE name = 'restoring'").fetchone())
            execute("INSERT OR REPLACE INTO facts VALUES ('restoring', ?)", (str(before + 1),))
        if before >= tries:
            raise UnusableStateError(f"{tries} processes ended while they read it")
        self._is_restoring = True

    def emitted(self) -> int:
        """How many spans the linker had made by the last commit."""
        with self._guarded():
            return _number(self._connection.execute("SELECT value FROM facts WHERE name = 'emitted'").fetchone())

    def cursors(self) -> dict[Target, str]:
        """How far the watches were by the last commit."""
        with self._guarded():
            rows = self._connection.execute("SELECT kind, namespace, cursor FROM cursors").fetchall()
        return {(kind, namespace): cursor for kind, namespace, cursor in rows}

    def forget_linker(self) -> None:
        """Begins anew with the linker; the spans stay."""
        with contextlib.suppress(FileNotFoundError):
            (self._folder / SNAPSHOT).replace(self._folder / f"{SNAPSHOT}.unusable")
        with self._transaction() as execute:
            for table in ("rounds", "cursors", "facts WHERE name = 'emitted'"):
                execute(f"DELETE FROM {table}")  # noqa: S608 - constants
            self.journal_bytes = 0

    def size(self) -> int:
        """Bytes on the disk."""
        return sum(path.stat().st_size for path in self._folder.iterdir() if path.is_file())

    def _give_back(self) -> None:
        """Room that spilled spans had, a part at a time."""
        with self._guarded():
            if _number(self._connection.execute("PRAGMA freelist_count").fetchone()) > _MANY_PAGES:
                # A script, because a single statement would stop after the first page.
                self._connection.executescript(
                    f"PRAGMA incremental_vacuum({_PAGES_PER_CHECKPOINT}); PRAGMA wal_checkpoint(TRUNCATE)"
                )

    def _read_snapshot(self, fingerprint: str) -> tuple[Any, int]:
        try:
            stream = (self._folder / SNAPSHOT).open("rb")
        except FileNotFoundError:
            return None, 0
        with stream:
            if stream.readline(128) != _MAGIC:
                raise UnusableStateError("its snapshot is not one of kspanpy")
            wrote, _, last = stream.readline(128).decode("ascii", "replace").strip().partition(" ")
            if wrote != fingerprint or not last.isdigit():
                raise UnusableStateError("its snapshot is of another version, or of other settings")
            snapshot.verify(stream)
            return snapshot.load(stream), int(last)

    def _rounds(self, after: int) -> Iterator[tuple[int, Input]]:
        while True:
            with self._guarded():
                found = self._connection.execute(
                    "SELECT number, inputs FROM rounds WHERE number > ? ORDER BY number LIMIT 64", (after,)
                ).fetchall()
            if not found:
                return
            for _, record in found:
                yield from inputs.decode(record)
            after = found[-1][0]

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        with self._access:
            try:
                yield
            except sqlite3.Error as error:
                raise OSError(f"the state on disk: {error}") from None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        with self._guarded():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection.execute
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    path.chmod(0o600)
    return connection


def _prepare(connection: sqlite3.Connection, identity: str) -> None:
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_PAGES_PER_CHECKPOINT}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise UnusableStateError(f"its format is {version}, this is {_VERSION}")
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        known = connection.execute("SELECT value FROM facts WHERE name = 'identity'").fetchone()
        if known is None:
            connection.execute("INSERT INTO facts VALUES ('identity', ?)", (identity,))
        elif known[0] != identity:
            raise UnusableStateError("it is of another cluster")
    except sqlite3.OperationalError as error:
        raise OSError(f"the state on disk: {error}") from None
    except sqlite3.DatabaseError as error:
        raise UnusableStateError(f"it is damaged ({error})") from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _number(value: Any) -> int:
    if isinstance(value, tuple):
        value = value[0]
    return int(value or 0)


def _ranges(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = last = -1
    for number in numbers:
        if first >= 0 and number == last + 1:
            last = number
            continue
        if first >= 0:
            yield first, last
        first = last = number
    if first >= 0:
        yield first, last
