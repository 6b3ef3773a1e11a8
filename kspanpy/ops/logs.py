"""Log lines that a machine can read and nobody can forge: JSON for the service, plain text for a person.

Invariants: one record is one line, whatever is in it (control, bidirectional-override and line-separator characters are
removed); known secrets and what looks like one are replaced; a record that can not be formatted does not stop the program.
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

from kspanpy.core.sanitize import text

REDACTED: Final = "***"
_LIMIT: Final = 4096
_TRACEBACK: Final = 16_384
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SECRET: Final = re.compile(
    r"(?i)(bearer\s+|basic\s+|(?:authorization|api[-_]?key|token|password|secret)[\"']?\s*[=:]\s*[\"']?)(?!bearer|basic)[^\s\"',;&]+"
)
_USER_INFO: Final = re.compile(r"(?<=//)[^/@\s:]*:[^/@\s]*@")


class Redactor:
    """Replaces secrets in a text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted((secret for secret in secrets if secret), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, line: str) -> str:
        """`line` as it may be written."""
        if self._known is not None:
            line = self._known.sub(REDACTED, line)
        return _USER_INFO.sub(f"{REDACTED}@", _SECRET.sub(rf"\g<1>{REDACTED}", line))


def _plain(value: object) -> bool:
    """JSON has no name for infinity and NaN: those are written as text."""
    return value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


class _Formatter(logging.Formatter):
    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self.redact = redact

    def clean(self, value: object, limit: int = _LIMIT) -> str:
        return text(self.redact(str(value)), limit)

    def parts(self, record: logging.LogRecord) -> tuple[str, str, dict[str, object]]:
        """Time, message, and the `extra` fields."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a wrong number of arguments must not cost the line
            message = str(record.msg)
        extra: dict[str, object] = {
            self.clean(key, 64): value if _plain(value) else self.clean(value)
            for key, value in vars(record).items()
            if key not in _STANDARD
        }
        if record.exc_info:
            extra["exception"] = self.clean(self.formatException(record.exc_info).replace("\n", " | "), _TRACEBACK)
        return when, self.clean(message), extra


class JsonFormatter(_Formatter):
    """One JSON object a line: time, level, logger, message, then the fields of `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        when, message, extra = self.parts(record)
        line = {"time": when, "level": record.levelname.lower(), "logger": record.name, "message": message}
        return json.dumps(line | {key: value for key, value in extra.items() if key not in line})


class TextFormatter(_Formatter):
    """`12:00:00.000 warning message key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        when, message, extra = self.parts(record)
        fields = "".join(f" {key}={value}" for key, value in extra.items())
        return f"{when[11:-1]} {record.levelname.lower():7} {message}{fields}"


def set_up(
    *, level: str, form: Literal["json", "text"], secrets: Iterable[str] = (), stream: TextIO | None = None
) -> logging.Handler:
    """Send what is logged from `level` on to stderr; the libraries underneath only when they warn."""
    redact = Redactor(secrets)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(redact) if form == "json" else TextFormatter(redact))
    root = logging.getLogger()
    for old in [old for old in root.handlers if getattr(old, "kspanpy", False)]:
        root.removeHandler(old)
    handler.kspanpy = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("kspanpy").setLevel(level.upper())
    logging.raiseExceptions = False
    logging.captureWarnings(capture=True)
    return handler
