"""Versions of one Deployment, for the tests of changes."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from kspanpy.core.model import PART_DIGEST, SECOND, FieldManager, Object, Parts
from tests.core.cluster import T0

IMAGE, ENV, REPLICAS = "template/containers/app/image", "template/containers/app/env", "replicas"
CREATE = FieldManager("kubectl-create", "Update", "", T0, touches_spec=True, parts=(REPLICAS, ENV, IMAGE))
CONTROLLER = FieldManager("kube-controller-manager", "Update", "status", T0 + SECOND, touches_spec=False)


def parts(values: dict[str, str]) -> Parts:
    """A spec of these parts."""
    digests = (blake2b(value.encode(), digest_size=PART_DIGEST).digest() for value in values.values())
    return Parts(tuple(values), b"".join(digests))


WEB_PARTS = {REPLICAS: "2", IMAGE: "web:1", ENV: "A=1", "strategy": "RollingUpdate", "template/labels": "app=web"}
WEB = Object(
    api_version="apps/v1",
    kind="Deployment",
    namespace="shop",
    name="web",
    uid="u",
    generation=1,
    created_ns=T0,
    replicas=2,
    template="one",
    images=(("app", "web:1"), ("log", "log:1")),
    parts=parts(WEB_PARTS),
    managers=(CREATE, CONTROLLER),
)


def entry(
    manager: str,
    *owned: str,
    subresource: str = "",
    at_s: int | None = 60,
    spec: bool = True,
    status: bool = False,
    operation: str = "Update",
) -> FieldManager:
    """An entry of managedFields."""
    time_ns = None if at_s is None else T0 + at_s * SECOND
    return FieldManager(
        manager, operation, subresource, time_ns, touches_spec=spec, touches_status=status, parts=tuple(sorted(owned))
    )


def without(manager: FieldManager, *lost: str) -> FieldManager:
    """An entry that has lost these parts."""
    return msgspec.structs.replace(manager, parts=tuple(part for part in manager.parts if part not in lost))


def version(*managers: FieldManager, of: Object = WEB, moved: dict[str, str] | None = None, **fields: object) -> Object:
    """The next version, with exactly these entries besides the controller's; `moved`: the parts that differ."""
    fields = {"generation": of.generation + 1, "managers": (*managers, CONTROLLER)} | fields
    if moved is not None:
        fields["parts"] = parts({**WEB_PARTS, **moved})
    return msgspec.structs.replace(of, **fields)
