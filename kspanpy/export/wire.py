"""The few forms of the protobuf wire format that spans need: https://protobuf.dev/programming-guides/encoding/

A message is the concatenation of its fields, each a tag (number and type) and its content. To make a message object of every
attribute and to serialise those costs several times as much as to write the bytes; the tests hold them against protobuf's own.
"""

from __future__ import annotations

import struct
from typing import Final

MAX_HEADS: Final = 256
"""Heads of texts of fewer bytes than this are kept for a key."""

MAX_INTEGERS: Final = 64
"""Whole numbers that are kept for a key: counts and generations are small."""

_INT64: Final = range(-(2**63), 2**63)
_double = struct.Struct("<cd").pack


class NotCleanError(Exception):
    """It can not be written as it is."""


def varint(number: int) -> bytes:
    """An unsigned number, seven bits in a byte."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field; numbers under 16 have a tag of one byte."""
    size = len(content)
    if 0x80 <= size < 0x4000:  # a span: once more without the loop
        return bytes((number << 3 | 2, size & 0x7F | 0x80, size >> 7)) + content
    return bytes((number << 3 | 2,)) + varint(size) + content


class AttributeKey:
    """Writes the attributes (KeyValue messages) with one key; `number` is that of their field in the message around them."""

    __slots__ = ("_integers", "_key", "_number", "heads")

    def __init__(self, number: int, key: str) -> None:
        self._number = number
        self._key = field(1, key.encode())
        self.heads = Heads(number, self._key)
        self._integers: dict[int, bytes] = {}

    def text(self, value: bytes) -> bytes:
        """With a text in UTF-8."""
        return self.heads[len(value)] + value

    def other(self, value: object) -> bytes:
        """With a whole number, a truth or a float. Raises `NotCleanError`."""
        if type(value) is int:
            return self._integers.get(value) or self._integer(value)
        if type(value) is float:
            return self._pair(_double(b"\x21", value))
        if type(value) is bool:
            return self._pair(b"\x10\x01" if value else b"\x10\x00")
        raise NotCleanError

    def _integer(self, value: int) -> bytes:
        if value not in _INT64:
            raise NotCleanError
        written = self._pair(b"\x18" + varint(value & 0xFFFF_FFFF_FFFF_FFFF))  # of negative ones the complement
        if len(self._integers) < MAX_INTEGERS:
            self._integers[value] = written
        return written

    def _pair(self, value: bytes) -> bytes:
        return field(self._number, self._key + field(2, value))


class Heads(dict[int, bytes]):
    """What stands before a text of so many bytes: `heads[len(text)] + text` is the attribute.

    All texts of one length share their head, so an attribute costs one look into a dictionary (and no call: it is one).
    """

    __slots__ = ("_key", "_number")

    def __init__(self, number: int, key: bytes) -> None:
        super().__init__()
        self._number = number
        self._key = key

    def __missing__(self, size: int) -> bytes:
        text = b"\x0a" + varint(size)
        pair = self._key + b"\x12" + varint(len(text) + size) + text
        head = bytes((self._number << 3 | 2,)) + varint(len(pair) + size) + pair
        if size < MAX_HEADS:
            self[size] = head
        return head
