"""What a request was, and what is to happen to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Seen:
    """One request as it came. `verb` is list, watch, get, create, update, patch or delete."""

    verb: str
    plural: str
    namespace: str
    query: dict[str, str]
    authorization: str
    accept: str
    at: float
    body: bytes = b""


@dataclass
class Fault:
    """What happens to the next `times` requests that match. Empty `verb` and `plural`, and None, match any."""

    verb: str = ""
    plural: str = ""
    namespace: str | None = None
    continued: bool | None = None  # only lists with (or without) a continue token
    when: Callable[[Seen], bool] = lambda _: True
    times: int = 1

    mute: bool = False  # the connection is accepted, and nothing is ever answered
    delay_s: float = 0.0  # the answer begins so much later
    status: int = 0  # answer with this status
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None  # and with these bytes; without a status, 200
    lines: list[bytes] = field(default_factory=list)  # a watch gets these lines first
    closed: bool = False  # a watch is answered with 200 and ends at once
    silent: bool = False  # a watch is answered with 200, and then never a byte
    cut_after: int | None = None  # the connection breaks after so many bytes of body
    trickle: tuple[int, float] | None = None  # the body comes in pieces of so many bytes, so many seconds apart

    def fits(self, seen: Seen) -> bool:
        """Whether it is for this request."""
        return (
            self.verb in {"", seen.verb}
            and self.plural in {"", seen.plural}
            and self.namespace in {None, seen.namespace}
            and self.continued in {None, "continue" in seen.query}
            and self.when(seen)
        )
