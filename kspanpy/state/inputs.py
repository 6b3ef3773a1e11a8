"""The linker's inputs as bytes: one round of the loop is one record, read back in the same order with the same times.

A record grows with its inputs: an Event takes about 0.5 KB, a Pod 1.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from kspanpy.core import steps
from kspanpy.core.steps import Input
from kspanpy.state.errors import UnusableStateError

_KINDS: Final = (
    steps.ObjectSeen,
    steps.ObjectGone,
    steps.EventSeen,
    steps.WatchProgress,
    steps.WatchMissing,
    steps.OwnerMissing,
    steps.Tick,
    steps.GapBegan,
    steps.GapEnded,
)
_NUMBERS: Final[dict[type, int]] = {kind: number for number, kind in enumerate(_KINDS)}
_encoder = msgspec.msgpack.Encoder()
_decoders: Final[tuple[msgspec.msgpack.Decoder[Input], ...]] = tuple(
    msgspec.msgpack.Decoder[Input](kind) for kind in _KINDS
)
_records: Final = msgspec.msgpack.Decoder(list[tuple[int, int, msgspec.Raw]])


def encode(inputs: Sequence[tuple[int, Input]]) -> bytes:
    """(now in ns, input) for each, as the linker took them."""
    return _encoder.encode([(now_ns, _NUMBERS[type(fact)], fact) for now_ns, fact in inputs])


def decode(record: bytes) -> Iterator[tuple[int, Input]]:
    """What `encode` was given. Raises UnusableStateError."""
    try:
        for now_ns, number, body in _records.decode(record):
            yield now_ns, _decoders[number].decode(body)
    except (msgspec.MsgspecError, IndexError, UnicodeError) as error:
        raise UnusableStateError(f"an input can not be read ({type(error).__name__})") from None
