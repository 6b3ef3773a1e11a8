"""The watch side: list+watch of the API server, and lookups of owners. The only part that imports the Kubernetes client.

`connect` gives a `Client`; a `Watcher` hands every change on as a `Delivery`; an `OwnerLookup` answers the linker's questions. The
protocol (`listwatch`), `backoff`, `framing`, `known` and `namespaces` are pure; `reflector`, `lookup` and `client` drive them.
"""

from kspanpy.kube.client import Client, Response, Stream, connect
from kspanpy.kube.clock import Clock, SystemClock
from kspanpy.kube.deliveries import Counters, Delivery, Relief, Resume, WatchHealth, WatchState
from kspanpy.kube.failures import FailureReason, TransportError
from kspanpy.kube.lookup import OwnerLookup
from kspanpy.kube.resources import EVENTS, WATCHED, Resource
from kspanpy.kube.settings import WatchSettings
from kspanpy.kube.watcher import Watcher

__all__ = [
    "EVENTS",
    "WATCHED",
    "Client",
    "Clock",
    "Counters",
    "Delivery",
    "FailureReason",
    "OwnerLookup",
    "Relief",
    "Resource",
    "Response",
    "Resume",
    "Stream",
    "SystemClock",
    "TransportError",
    "WatchHealth",
    "WatchSettings",
    "WatchState",
    "Watcher",
    "connect",
]
