"""What an answer means and how long to wait: pure, after the OTLP specification.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md : what is retryable is tried again for
as long as the queue has room (the queue's bound is the limit, not a number of attempts or a time); what is not is never
sent again as it is. `divisible` marks refusals that are about the content of a request, so that its halves may pass.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, TypeAlias

INITIAL_S: Final = 1.0
MULTIPLIER: Final = 1.5
MAX_S: Final = 30.0
HINT_MAX_S: Final = 300.0
"""A server may ask for a longer pause than this; it gets this one."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The receiver has the spans; of `rejected` of them it said that it will not keep them."""

    rejected: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Transient:
    """Try the same bytes again, not before `retry_after_s` if the receiver said so."""

    reason: str
    retry_after_s: float | None = None
    timed_out: bool = False
    """There was no answer in time: less might have got through."""


@dataclass(frozen=True, slots=True)
class Permanent:
    """Do not send the same bytes again."""

    reason: str
    divisible: bool = False


Outcome: TypeAlias = Accepted | Transient | Permanent

_GRPC_RETRYABLE: Final = frozenset(
    {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
)
_HTTP_RETRYABLE: Final = frozenset({429, 502, 503, 504})
_HTTP_DIVISIBLE: Final = frozenset({400, 413, 422})


def grpc_outcome(code: str, details: str, retry_info_s: float | None) -> Transient | Permanent:
    """The outcome of a failed gRPC call; `retry_info_s` is the delay of a RetryInfo, None without one."""
    reason = f"{code}: {details}" if details else code
    if code in _GRPC_RETRYABLE:
        return Transient(reason, retry_info_s, timed_out=code == "DEADLINE_EXCEEDED")
    if code == "RESOURCE_EXHAUSTED":
        # Without RetryInfo the server does not promise to recover; it is then mostly a message over its size limit.
        return Permanent(reason, divisible=True) if retry_info_s is None else Transient(reason, retry_info_s)
    return Permanent(reason, divisible=code == "INVALID_ARGUMENT")


def http_outcome(status: int, details: str, retry_after_s: float | None) -> Transient | Permanent:
    """The outcome of an HTTP answer that is no success. A redirect is not followed: the spans did not arrive."""
    reason = f"HTTP {status}: {details}" if details else f"HTTP {status}"
    if status in _HTTP_RETRYABLE:
        return Transient(reason, retry_after_s)
    return Permanent(reason, divisible=status in _HTTP_DIVISIBLE)


def retry_after(value: str | None, now_s: float) -> float | None:
    """Seconds to wait by a Retry-After header (seconds or an HTTP date); None without a usable one."""
    value = (value or "").strip()
    if not value or len(value) > 64 or not value.isascii():
        return None
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now_s)
    except (ValueError, OverflowError, TypeError):
        return None


class Backoff:
    """How long to pause after each transient failure in a row."""

    def __init__(self, *, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._interval_s = INITIAL_S

    def reset(self) -> None:
        """An answer came that is not transient: start over."""
        self._interval_s = INITIAL_S

    def pause_s(self, hint_s: float | None) -> float:
        """The next pause. A server's hint replaces the schedule; up to a tenth is added so that many senders spread."""
        interval, self._interval_s = self._interval_s, min(self._interval_s * MULTIPLIER, MAX_S)
        if hint_s is not None and hint_s > 0:
            return min(hint_s, HINT_MAX_S) * (1 + self._jitter() / 10)
        return min(interval * (0.5 + self._jitter()), MAX_S)
