"""Kubernetes JSON -> `kspanpy.core.model`. Pure and total: any bytes give a value or `Malformed`, never an exception."""

from kspanpy.decode.altered import Altered
from kspanpy.decode.altered import counts as altered
from kspanpy.decode.glancing import Glance, glance
from kspanpy.decode.objects import object_from, to_step
from kspanpy.decode.results import Bookmark, Change, ListPage, Malformed, MalformedReason, WatchFailure
from kspanpy.decode.streams import list_page, watch_line
from kspanpy.decode.times import nanoseconds, rfc3339

__all__ = [
    "Altered",
    "Bookmark",
    "Change",
    "Glance",
    "ListPage",
    "Malformed",
    "MalformedReason",
    "WatchFailure",
    "altered",
    "glance",
    "list_page",
    "nanoseconds",
    "object_from",
    "rfc3339",
    "to_step",
    "watch_line",
]
