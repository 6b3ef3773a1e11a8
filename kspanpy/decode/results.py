"""What decoding gives: a change, a bookmark, a failure that the API server reports, a page of a list, or Malformed.

Decoding is total. There is no exception to catch: what can not be used at all comes out as `Malformed` with one of a closed
list of reasons, which is a metric label.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from kspanpy.core import sanitize
from kspanpy.core.model import Event, Object

_DETAIL = 200


class MalformedReason(StrEnum):
    """Why bytes could not become an object. A closed list."""

    EMPTY = "empty"  # nothing, or only white space
    TOO_LARGE = "too-large"
    TOO_DEEP = "too-deep"  # nested beyond what the parser follows
    NOT_JSON = "not-json"  # broken syntax: cut off, or not a text at all
    CUT_OFF = "cut-off"  # the last line of a file ends in the middle
    DAMAGED = "damaged"  # compressed data that can not be expanded any further
    NOT_AN_OBJECT = "not-an-object"  # JSON, but no {...} where an object belongs
    NOT_A_LIST = "not-a-list"  # the answer to a list request has no items
    UNKNOWN_TYPE = "unknown-type"  # a watch line that is none of ADDED, MODIFIED, DELETED, BOOKMARK, ERROR
    NO_KIND = "no-kind"
    NO_METADATA = "no-metadata"
    NO_IDENTITY = "no-identity"  # neither name nor uid


class Malformed(msgspec.Struct, frozen=True, gc=False):
    """One input that can not be used. `detail` is safe to log: short, one line, no values of fields."""

    reason: MalformedReason
    detail: str = ""


class Change(msgspec.Struct, frozen=True, gc=False):
    """One line of a watch: what happened to an object, the object, and its JSON for a capture file."""

    type: str  # ADDED, MODIFIED, DELETED
    object: Object | Event
    raw: msgspec.Raw


class Bookmark(msgspec.Struct, frozen=True, gc=False):
    """Everything up to this resourceVersion has been sent."""

    kind: str
    resource_version: int | None
    resource_version_text: str  # as the API server wants it back
    initial_events_end: bool


class WatchFailure(msgspec.Struct, frozen=True, gc=False):
    """An ERROR line, or a bare Status where a watch should have begun. 410 means: list again."""

    code: int
    reason: str
    message: str
    retry_after_s: float | None = None


class ListPage(msgspec.Struct, frozen=True):
    """One page of a list. `items` and `raws` go together; a bad item stands in its place as `Malformed`.

    Grows with the page. The raws are views of its bytes, which are all kept as long as one of them is.
    """

    items: list[Object | Event | Malformed]
    raws: list[msgspec.Raw]
    resource_version: int | None
    resource_version_text: str
    continue_token: str


def malformed(reason: MalformedReason, detail: object = "") -> Malformed:
    """A `Malformed` whose detail may be shown."""
    return Malformed(reason, sanitize.text(str(detail), _DETAIL))
