"""RFC 3339 text to integer nanoseconds and back, for times that nobody vouches for.

`datetime` stops at microseconds, at second 59 and at the year 9999; Kubernetes writes the year 1 for "no time", and a client
may write anything. So: a time from 1970 to 2261 (what fits signed 64-bit nanoseconds, and OTLP), or None.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from kspanpy.decode.altered import pass_over
from kspanpy.decode.remembered import remembered

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,18}))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_NANOSECONDS = 1_000_000_000
_LIMIT = (date(2262, 1, 1).toordinal() - _EPOCH_DAY) * 86_400 * _NANOSECONDS
_LONGEST = 48


def _nanoseconds(text: str | None) -> int | None:
    if not text:
        return None
    if len(text) > _LONGEST:
        pass_over()
        return None
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, zone_hours, zone_minutes = match.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    hours, minutes, seconds = int(hour), int(minute), int(second)
    if hours > 23 or minutes > 59 or seconds > 60:  # 60: a leap second, counted as the first of the next minute
        return None
    total = days * 86_400 + hours * 3600 + minutes * 60 + seconds
    if sign:
        zone = int(zone_hours) * 3600 + int(zone_minutes) * 60
        total += zone if sign == "-" else -zone
    result = total * _NANOSECONDS + (int(fraction[:9].ljust(9, "0")) if fraction else 0)
    return result if 0 <= result < _LIMIT else None


# One creation time is read with every version of its object, so most of the calls repeat an earlier one.
nanoseconds: Final = remembered(_nanoseconds, capacity=8192)
"""The time since the Unix epoch, or None for no time, garbage, and times that can not be sent."""


def rfc3339(ns: int) -> str:
    """`ns` in UTC with microseconds, as Kubernetes writes a MicroTime; a time out of range becomes the nearest edge."""
    micros = min(max(ns, 0), _LIMIT - 1) // 1000
    seconds, micros = divmod(micros, 1_000_000)
    days, seconds = divmod(seconds, 86_400)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{date.fromordinal(days + _EPOCH_DAY).isoformat()}T{hours:02}:{minutes:02}:{seconds:02}.{micros:06}Z"
