"""An API server on loopback that speaks list, watch and writes as the real one does, and that can be told to misbehave.

`FakeApiServer` is used as a context manager. It keeps plain dicts (`store`), with one sequence of resourceVersions for all of them, as
with one etcd, and a history from which watches are served. `faults` says what can be made to go wrong; `handler` speaks HTTP.
"""

from fakes.apiserver.faults import Fault, Seen
from fakes.apiserver.server import FakeApiServer
from fakes.apiserver.store import error_line, status

__all__ = ["FakeApiServer", "Fault", "Seen", "error_line", "status"]
