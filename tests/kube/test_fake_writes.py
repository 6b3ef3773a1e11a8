"""The fake API server's writes are the real one's, as far as an elector or a checkpoint needs them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from fakes.apiserver import FakeApiServer

LEASES = "/apis/coordination.k8s.io/v1/namespaces/shop/leases"


def call(server: FakeApiServer, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    """Status and body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data=data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_lease_is_created_once_and_updated_only_at_its_version(server: FakeApiServer) -> None:
    """409 for a second creation and for a stale resourceVersion; 404 for what is not there."""
    lease = {"metadata": {"name": "kspanpy"}, "spec": {"holderIdentity": "a"}}
    assert call(server, "GET", f"{LEASES}/kspanpy")[0] == 404
    assert call(server, "PUT", f"{LEASES}/kspanpy", lease)[0] == 404
    code, stored = call(server, "POST", LEASES, lease)
    assert (code, stored["metadata"]["namespace"]) == (201, "shop")
    assert call(server, "POST", LEASES, lease)[1]["reason"] == "AlreadyExists"
    stored["spec"]["holderIdentity"] = "b"
    code, renewed = call(server, "PUT", f"{LEASES}/kspanpy", stored)
    assert (code, renewed["metadata"]["uid"]) == (200, stored["metadata"]["uid"])
    code, refused = call(server, "PUT", f"{LEASES}/kspanpy", stored)
    assert (code, refused["reason"]) == (409, "Conflict")
    assert call(server, "GET", f"{LEASES}/kspanpy")[1] == renewed


def test_a_merge_patch_changes_what_it_names(server: FakeApiServer) -> None:
    """And null removes."""
    path = "/api/v1/namespaces/shop/configmaps"
    call(server, "POST", path, {"metadata": {"name": "state"}, "data": {"a": "1", "b": "2"}})
    code, patched = call(server, "PATCH", f"{path}/state", {"data": {"a": None, "c": "3"}})
    assert (code, patched["data"]) == (200, {"b": "2", "c": "3"})
    assert call(server, "DELETE", f"{path}/state")[0] == 200
    assert call(server, "GET", f"{path}/state")[0] == 404


def test_writes_can_be_made_to_fail(server: FakeApiServer) -> None:
    """By verb and resource, like everything else."""
    server.fault(verb="update", plural="leases", status=503)
    server.put("leases", {"metadata": {"name": "kspanpy", "namespace": "shop"}})
    assert call(server, "PUT", f"{LEASES}/kspanpy", {"metadata": {}})[0] == 503
    assert call(server, "PUT", f"{LEASES}/kspanpy", {"metadata": {}})[0] == 200
    assert [request.body for request in server.requests("update")] == [b'{"metadata": {}}'] * 2
