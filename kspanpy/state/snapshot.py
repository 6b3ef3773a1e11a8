"""The linker as bytes, and back: everything it holds, so that the one that is loaded goes on exactly as the other would have.

Pickle, because the state is a graph (records, chapters and stories point at each other) and only ever read by the same build of
kspanpy that wrote it: `fingerprint` says which one. Two things are not left to pickle:

- depth: stories hang together, and a plain pickle would follow them to any depth. The four classes that make up the graph are
  written one after the other instead, as references to each other, so the stack stays flat however large the cluster is.
- trust: only classes of `kspanpy.core` and a short list of plain ones are loaded, so a file that somebody tampered with can lie, but
  can not run anything.
"""

from __future__ import annotations

import os
import pickle
import platform
import zlib
from collections import deque
from collections.abc import Iterator
from hashlib import blake2b
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import msgspec

import kspanpy.core
from kspanpy import __version__
from kspanpy.core.model import Object
from kspanpy.core.objects.catalog import Record
from kspanpy.core.stories.shape import Chapter, Lifecycle, Story
from kspanpy.state.errors import UnusableStateError

_PROTOCOL: Final = 5
_NODES: Final[dict[type, tuple[str, ...]]] = {kind: kind.__slots__ for kind in (Record, Chapter, Story, Lifecycle)}
_KINDS: Final = tuple(_NODES)
_NUMBERS: Final = {kind: number for number, kind in enumerate(_KINDS)}

# What else the state consists of, besides classes of the core.
_PLAIN: Final = frozenset(
    {
        ("builtins", "frozenset"),
        ("builtins", "set"),
        ("collections", "Counter"),
        ("collections", "OrderedDict"),
        ("collections", "defaultdict"),
        ("collections", "deque"),
        ("copyreg", "__newobj__"),
        ("copyreg", "_reconstructor"),
        ("builtins", "object"),
        ("builtins", "list"),
        ("builtins", "dict"),
        ("itertools", "count"),
        ("msgspec._utils", "rebuild"),
        ("re", "_compile"),
    }
)
_FOOTER: Final = 27  # bytes
_BATCH: Final = 1024  # nodes written at a time
_FEWEST: Final = 5  # fields of an Object that have no default
_values: Final = attrgetter(*Object.__struct_fields__)
_DEFAULTS: Final = _values(Object("", "", "", "", ""))


def fingerprint(settings: object) -> str:
    """What wrote a state: it can be read only by the same code with the same settings of the linker."""
    digest = blake2b(digest_size=16)
    digest.update(f"{__version__} {platform.python_version()} {msgspec.__version__} {settings!r}".encode())
    for folder in (Path(kspanpy.core.__file__).parent, Path(__file__).parent):  # what is written, and how
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


class _Sink(Protocol):
    def write(self, data: Any, /) -> int: ...


class _Writer(pickle.Pickler):
    """Writes nodes as numbers and remembers which are still to be written.

    What it writes otherwise, the pickler remembers too, some sixty things a node. So it forgets them after each batch (32 MiB less
    with 30,000 objects), and the reader does: only within a batch is what was one thing one thing again. Nothing but nodes is
    told apart by being the same, and nothing but nodes and the root may change.
    """

    def __init__(self, stream: _Sink) -> None:
        super().__init__(stream, _PROTOCOL)
        self.queue: deque[object] = deque()
        self._known: dict[int, int] = {}  # by id: nothing is freed meanwhile

    def persistent_id(self, obj: object) -> int | None:
        """A node's number and kind in one; None for anything else."""
        kind = _NUMBERS.get(type(obj))
        if kind is None:
            return None
        found = self._known.get(id(obj))
        if found is None:
            found = self._known[id(obj)] = len(self._known) * len(_KINDS) + kind
            self.queue.append(obj)
        return found

    def reducer_override(self, obj: object) -> Any:
        """Most objects have little to say: what stands at its default behind the last word is left out."""
        if type(obj) is not Object:
            return NotImplemented
        values = _values(obj)
        size = len(values)
        while size > _FEWEST and values[size - 1] == _DEFAULTS[size - 1]:
            size -= 1
        return Object, values[:size]

    def batch(self) -> Iterator[object]:
        """The values of the next nodes, one node after the other."""
        for _ in range(min(len(self.queue), _BATCH)):
            node = self.queue.popleft()
            for name in _NODES[type(node)]:
                yield getattr(node, name)


class _Reader(pickle.Unpickler):
    """Reads one batch: a writer that forgot needs a reader that does not remember. `nodes` are all that have been met."""

    def __init__(self, stream: BinaryIO, nodes: list[object]) -> None:
        super().__init__(stream)
        self.nodes = nodes

    def find_class(self, module: str, name: str) -> Any:
        """Only what a state consists of."""
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        if module.startswith("kspanpy.core.") and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise UnusableStateError(f"{module}.{name} has no place in it"[:200])

    def persistent_load(self, pid: int) -> object:
        """The node; a new one, without its values, when it is met for the first time."""
        number, kind = divmod(pid, len(_KINDS))
        if not 0 <= number <= len(self.nodes):
            raise UnusableStateError("its parts are out of order")
        if number == len(self.nodes):
            self.nodes.append(object.__new__(_KINDS[kind]))
        return self.nodes[number]

    def fill(self, first: int) -> int:
        """Gives the next nodes their values; the number of the node after them."""
        last = min(first + _BATCH, len(self.nodes))
        values = iter(self.load())
        for node in self.nodes[first:last]:
            for name in _NODES[type(node)]:
                object.__setattr__(node, name, next(values))
        if next(values, self) is not self:
            raise UnusableStateError("its nodes have other values than they had")
        return last


class _Checked:
    """A stream that counts and sums up what passes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = self.crc = 0

    def write(self, data: Any) -> int:
        """Pass on."""
        self.crc = zlib.crc32(data, self.crc)
        written = self._stream.write(data)
        self.size += written
        return written


def dump(thing: object, stream: BinaryIO) -> tuple[int, int]:
    """Writes `thing` (the linker and what the caller keeps with it); gives the size in bytes and the CRC-32 of what was written."""
    checked = _Checked(stream)
    writer = _Writer(checked)
    writer.dump(thing)
    while writer.queue:
        writer.clear_memo()
        writer.dump(tuple(writer.batch()))
    return checked.size, checked.crc


def verify(stream: BinaryIO) -> None:
    """Reads to the end and back: raises UnusableStateError if this is not all that was written, or not as it was."""
    here = stream.tell()
    size = stream.seek(0, os.SEEK_END) - here - _FOOTER
    stream.seek(here)
    crc, left = 0, size
    while left > 0 and (data := stream.read(min(left, 1 << 20))):
        crc = zlib.crc32(data, crc)
        left -= len(data)
    if left or stream.read(_FOOTER) != footer(size, crc):
        raise UnusableStateError("its snapshot is damaged")
    stream.seek(here)


def footer(size: int, crc: int) -> bytes:
    """What follows a dump of this size and sum."""
    return f"\n{crc:08x} {size:016x}\n".encode()


def load(stream: BinaryIO) -> Any:
    """What `dump` wrote. Raises UnusableStateError."""
    nodes: list[object] = []
    try:
        thing = _Reader(stream, nodes).load()
        done = 0
        while done < len(nodes):
            done = _Reader(stream, nodes).fill(done)
    except UnusableStateError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged pickle can raise anything
        raise UnusableStateError(f"it is damaged ({type(error).__name__})") from None
    return thing
