"""Bytes into wire structs, in two steps: fast and strict, and if that fails, slow and tolerant.

The strict step is msgspec. The tolerant one exists because one odd field must not cost the object: bytes that are not UTF-8
are replaced, lone surrogates and raw control characters are accepted (the text is sanitised later anyway), and a value of the
wrong type counts as missing. Neither raises, whatever the bytes are.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from functools import cache
from typing import Any, Final, TypeVar, cast

import msgspec
from msgspec import inspect

from kspanpy.decode.fields import MAX_OBJECT_BYTES
from kspanpy.decode.results import Malformed, MalformedReason, malformed
from kspanpy.decode.wire import NOTHING, Wire

Bytes = bytes | bytearray | memoryview | msgspec.Raw

W = TypeVar("W", bound=Wire)

_MISFIT = object()
_MAX_DIGITS = 100  # longer integers are quadratic to read and mean nothing


NOT_STRICT: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What `decoder(...).decode` raises for what only `parse` understands, if at all."""


@cache
def decoder(type_: Hashable) -> msgspec.json.Decoder[Any]:
    """The strict step alone."""
    return msgspec.json.Decoder(cast("type[Any]", type_))


def _with_all_below(type_: type[Wire]) -> Iterator[type[Wire]]:
    yield type_
    for below in type_.__subclasses__():
        yield from _with_all_below(below)


# Made now, by the one thread that imports this. What msgspec knows of a struct is shared by all decoders of it, and while the first
# of them is made it has holes: a thread that decoded meanwhile would end the process with a segmentation fault.
for _wire in _with_all_below(Wire):
    decoder(_wire)


def parse(data: Bytes, type_: type[W], *, limit: int = MAX_OBJECT_BYTES) -> W | Malformed:
    """`data` as a wire struct; wrong-typed fields are missing in it."""
    size = len(memoryview(data))
    if size > limit:
        return malformed(MalformedReason.TOO_LARGE, f"{size} bytes, at most {limit} are read")
    try:
        decoded: W = decoder(type_).decode(data)
    except RecursionError:
        return malformed(MalformedReason.TOO_DEEP)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _tolerant(bytes(data), type_)
    return decoded


def dump(value: object) -> msgspec.Raw:
    """A plain value as JSON in ASCII: the only form that every repaired text survives."""
    try:
        return msgspec.Raw(json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii"))
    except (RecursionError, ValueError):
        return NOTHING


def plain(data: Bytes) -> Any:
    """`data` as dicts, lists and scalars, or `Malformed`."""
    text = bytes(data).decode("utf-8-sig", errors="replace")
    if not text.strip():
        return malformed(MalformedReason.EMPTY)
    try:
        return json.loads(text, strict=False, parse_int=_integer, parse_float=_float, parse_constant=_constant)
    except RecursionError:
        return malformed(MalformedReason.TOO_DEEP)
    except ValueError as error:
        return malformed(MalformedReason.NOT_JSON, error)


def _tolerant(data: bytes, type_: type[W]) -> W | Malformed:
    value = plain(data)
    if isinstance(value, Malformed):
        return value
    if not isinstance(value, dict):
        return malformed(MalformedReason.NOT_AN_OBJECT, f"a JSON {type(value).__name__}")
    fitted: W = _struct(value, type_)
    return fitted


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MAX_DIGITS else None


def _float(digits: str) -> float | None:
    value = float(digits)
    return value if abs(value) < 1e300 else None


def _constant(_: str) -> None:
    """NaN and Infinity are not JSON."""


@cache
def _fields(type_: Hashable) -> tuple[tuple[str, str, inspect.Type], ...]:
    info = inspect.type_info(type_)
    if not isinstance(info, inspect.StructType):  # pragma: no cover - wire types are structs
        raise TypeError(type_)
    return tuple((field.name, field.encode_name, field.type) for field in info.fields)


def _struct(value: dict[str, Any], type_: type[Any]) -> Any:
    fitted = {}
    for name, key, field_type in _fields(cast("Hashable", type_)):
        if key in value:
            item = _fit(value[key], field_type)
            if item is not _MISFIT:
                fitted[name] = item
    return type_(**fitted)


def _fit(value: Any, type_: inspect.Type) -> Any:
    """`value` as the wire type wants it, or _MISFIT."""
    match type_:
        case inspect.UnionType(types=types):
            fits = (_fit(value, member) for member in types)
            return next((item for item in fits if item is not _MISFIT), _MISFIT)
        case inspect.RawType():
            return dump(value)
        case inspect.StructType(cls=cls) if isinstance(value, dict):
            return _struct(value, cls)
        case inspect.ListType(item_type=item_type) if isinstance(value, list):
            return [item for item in (_fit(entry, item_type) for entry in value) if item is not _MISFIT]
        case inspect.DictType(value_type=value_type) if isinstance(value, dict):
            entries = ((key, _fit(entry, value_type)) for key, entry in value.items())
            return {key: item for key, item in entries if item is not _MISFIT}
        case inspect.StrType() if isinstance(value, str):
            return value
        case inspect.BoolType() if isinstance(value, bool):
            return value
        case inspect.IntType() if isinstance(value, int) and not isinstance(value, bool):
            return value
        case inspect.NoneType() if value is None:
            return None
    return _MISFIT
