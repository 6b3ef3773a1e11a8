"""Untrusted text made safe to store, print and send: bounded, one line, visible characters only.

Anyone who may create a Pod writes into Event messages, names and annotations; the text ends in terminals, log files and
trace viewers. Invariants: the result has at most `limit` characters, contains no control, bidirectional-override or
surrogate character, and is the same when sanitised again (so equal inputs stay equal keys wherever they are cleaned).
"""

from __future__ import annotations

import re
from functools import lru_cache

# What Kubernetes itself allows is shorter or equal, except for messages (1024 is its limit for event messages too).
MESSAGE = 1024
CONDITION_MESSAGE = 512
NAME = 253
REASON = 128
UID = 64

ELLIPSIS = "…"

# A run of these becomes one space, so that a message of several lines stays readable on one.
_BREAKS = re.compile("[\\t\\n\\v\\f\\r\\x85\\u2028\\u2029]+")
_SURROGATES = re.compile("[\\ud800-\\udfff]")
# C0, DEL, C1; soft hyphen; the characters that reorder or hide text ("Trojan Source"); invisible tags and fillers.
_REMOVED = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b\\u200e\\u200f\\u202a-\\u202e\\u2060-\\u206f\\ufeff"
    "\\ufff9-\\ufffb\\U000e0000-\\U000e0fff]"
)
_IDENTIFIER = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_NOT_IDENTIFIER = re.compile("[^A-Za-z0-9._-]")


def text(value: str, limit: int = MESSAGE) -> str:
    """`value` as one safe line of at most `limit` characters; a visible ellipsis stands for what was cut."""
    # str.isprintable is false for every character that is removed or replaced below, so clean text leaves here.
    if len(value) <= limit and value.isprintable():
        return value
    # Cut first: a megabyte must not be scanned to show a line. The factor leaves room for what will be removed.
    head = value[: 4 * limit + 64]
    if not head.isprintable():
        head = _REMOVED.sub("", _SURROGATES.sub("\ufffd", _BREAKS.sub(" ", head)))
    if len(head) <= limit and len(value) <= 4 * limit + 64:
        return head
    return head[: max(limit - 1, 0)] + ELLIPSIS if limit > 0 else ""


@lru_cache(maxsize=1024)  # kinds, reasons and components are few, and asked for with every Event
def identifier(value: str, fallback: str = "unknown") -> str:
    """`value` mapped into the grammar of span-name parts, `[A-Za-z0-9][A-Za-z0-9._-]{0,62}`; `fallback` if nothing is left."""
    if _IDENTIFIER.fullmatch(value):
        return value
    return _NOT_IDENTIFIER.sub("_", value[:1024]).lstrip("._-")[:63] or fallback
