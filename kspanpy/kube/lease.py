"""The Lease as it is on the wire: read totally, written without losing what others keep in it.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/ . Of the metadata only our annotation is changed;
labels, owners and the annotations of others go back as they came.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from kspanpy.decode.times import nanoseconds

GROUP_VERSION: Final = "coordination.k8s.io/v1"
ACKNOWLEDGED_UNTIL: Final = "kspanpy.io/acknowledged-until"
LARGEST: Final = 1024 * 1024
"""Bytes of an answer that are read; the API server allows 256 KiB of annotations."""

_LONGEST_HOLDER: Final = 1024
_LONGEST_TERM_S: Final = 300


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Who leads. The times are the holder's wall clock, RFC 3339 with microseconds; nobody compares them with a clock of his own."""

    holder: str = ""
    """Empty: released."""
    term_s: int = 0
    """leaseDurationSeconds."""
    acquire_time: str = ""
    renew_time: str = ""
    transitions: int = 0
    acknowledged_until: str = ""
    """Every span that the holder had finished before this time was then acknowledged, or dropped and counted."""

    @property
    def lag_ns(self) -> int | None:
        """How far behind its own clock the holder was with acknowledgements. Of one clock, read at one moment. None: it does not say."""
        until, renewed = nanoseconds(self.acknowledged_until), nanoseconds(self.renew_time)
        return None if until is None or renewed is None else max(renewed - until, 0)

    def same_term(self, other: Record) -> bool:
        """Nothing was renewed, taken or released between the two."""
        return _term(self) == _term(other)


class Lease(msgspec.Struct, frozen=True):
    """A stored record. `metadata` is all of the object's, as it came."""

    record: Record
    metadata: dict[str, Any]

    @property
    def version(self) -> str:
        """Its resourceVersion."""
        return str(self.metadata.get("resourceVersion", ""))

    @property
    def acknowledged_ns(self) -> int:
        """Before then everything that the holder had finished was acknowledged, by its clock *and* by that of the API server, which
        notes in managedFields when it was written: the earlier of the two. 0: nobody says so.

        A holder whose clock is fast would claim what has not happened yet; somebody else's change of the Lease is no renewal.
        """
        until, lag, fields = (
            nanoseconds(self.record.acknowledged_until),
            self.record.lag_ns,
            self.metadata.get("managedFields"),
        )
        entries = [entry for entry in fields if isinstance(entry, dict)] if isinstance(fields, list) else []
        times = [nanoseconds(entry["time"]) for entry in entries if isinstance(entry.get("time"), str)]
        written = max((time for time in times if time is not None), default=None)
        return 0 if until is None or lag is None or written is None else max(min(until, written - lag), 0)


def decode(body: bytes) -> Lease | None:
    """The Lease of an answer; None when it is none."""
    try:
        wire = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    spec, annotations = wire.spec or _Spec(), wire.metadata.get("annotations")
    until = annotations.get(ACKNOWLEDGED_UNTIL, "") if isinstance(annotations, dict) else ""
    record = Record(
        holder=(spec.holderIdentity or "")[:_LONGEST_HOLDER],
        term_s=min(max(spec.leaseDurationSeconds or 0, 0), _LONGEST_TERM_S),
        acquire_time=spec.acquireTime or "",
        renew_time=spec.renewTime or "",
        transitions=spec.leaseTransitions or 0,
        acknowledged_until=until if isinstance(until, str) else "",
    )
    return Lease(record, wire.metadata)


def encode(record: Record, *, name: str, namespace: str, replaces: Lease | None = None) -> bytes:
    """The body of a create, or of an update that only succeeds if `replaces` is still what is stored."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if replaces is not None:
        metadata = {key: value for key, value in replaces.metadata.items() if key != "managedFields"}
    found = metadata.get("annotations")
    annotations = dict(found) if isinstance(found, dict) else {}
    if record.acknowledged_until:
        annotations[ACKNOWLEDGED_UNTIL] = record.acknowledged_until
    return msgspec.json.encode(
        {
            "apiVersion": GROUP_VERSION,
            "kind": "Lease",
            "metadata": metadata | {"annotations": annotations},
            "spec": {
                "holderIdentity": record.holder,
                "leaseDurationSeconds": record.term_s,
                "acquireTime": record.acquire_time or None,
                "renewTime": record.renew_time or None,
                "leaseTransitions": record.transitions,
            },
        }
    )


def _term(record: Record) -> tuple[object, ...]:
    return record.holder, record.term_s, record.acquire_time, record.renew_time, record.transitions


class _Spec(msgspec.Struct, gc=False):
    holderIdentity: str | None = None  # noqa: N815 - its name in the API
    leaseDurationSeconds: int | None = None  # noqa: N815
    acquireTime: str | None = None  # noqa: N815
    renewTime: str | None = None  # noqa: N815
    leaseTransitions: int | None = None  # noqa: N815


class _Wire(msgspec.Struct):
    metadata: dict[str, Any]
    spec: _Spec | None = None


_decoder = msgspec.json.Decoder(_Wire)
