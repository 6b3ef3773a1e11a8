"""Why a request failed, in one closed list (it is a metric label), and the error that carries it out of the transport.

Nothing of a response or of an exception's text gets in here: the messages of HTTP libraries, and those of the kubeconfig
loader even more, may quote credentials. A failure says what kind it is and at most the operating system's words for it.
"""

from __future__ import annotations

from enum import StrEnum


class FailureReason(StrEnum):
    """What went wrong with one list, watch or get."""

    GONE = "gone"  # 410: the resourceVersion is too old
    THROTTLED = "throttled"  # 429
    SERVER_ERROR = "server-error"  # 5xx
    UNAUTHORIZED = "unauthorized"  # 401
    FORBIDDEN = "forbidden"  # 403
    NOT_FOUND = "not-found"  # 404: this API server does not serve the resource
    REJECTED = "rejected"  # any other answer but 2xx
    REFUSED = "refused"  # no connection: refused, unreachable, unresolved
    RESET = "reset"  # the connection broke
    TIMEOUT = "timeout"  # no answer in time
    SILENT = "silent"  # an open watch without a byte for longer than bookmarks are apart
    SHORT_WATCH = "short-watch"  # closed within a second, and nothing came
    TLS = "tls"
    CREDENTIALS = "credentials"  # token file, exec plugin or kubeconfig unreadable
    UNREADABLE = "unreadable"  # a list that is none, or too large
    INTERNAL = "internal"  # a defect of this program


class TransportError(Exception):
    """A request got no usable answer. `detail` is safe to show."""

    def __init__(self, reason: FailureReason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


_BY_STATUS = {
    401: FailureReason.UNAUTHORIZED,
    403: FailureReason.FORBIDDEN,
    404: FailureReason.NOT_FOUND,
    410: FailureReason.GONE,
    429: FailureReason.THROTTLED,
}


def of_status(code: int) -> FailureReason:
    """The reason for an HTTP status, or the code of a Status, that is not a success."""
    known = _BY_STATUS.get(code)
    if known is not None:
        return known
    return FailureReason.REJECTED if 300 <= code < 500 else FailureReason.SERVER_ERROR


def retry_after(value: str | None) -> float | None:
    """The seconds of a Retry-After header. The API server writes seconds; a date is not worth trusting two clocks."""
    if value is None or not value.strip().isascii() or not value.strip().isdigit():
        return None
    return float(value.strip()[:6])
