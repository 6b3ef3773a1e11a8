"""Takes part in an election by a Lease: the thread that carries out what `election.py` decides, with raw requests.

The Lease is the only object that kspanpy ever writes, in its own namespace. With every renewal goes the time up to which
everything has been acknowledged (`lease.ACKNOWLEDGED_UNTIL`), so the checkpoint costs no request of its own.

Nothing that happens after the start ends the thread: a right that was taken away, an API server that is away, answers that are none.
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kspanpy.core import sanitize
from kspanpy.errors import StartupError
from kspanpy.kube import lease
from kspanpy.kube.client import Client, Response
from kspanpy.kube.clock import Clock, SystemClock
from kspanpy.kube.election import (
    Absent,
    Answer,
    Conflict,
    Create,
    Election,
    Failed,
    Get,
    Request,
    Timing,
    Update,
    Wait,
)
from kspanpy.kube.failures import FailureReason, TransportError, of_status, retry_after

_log = logging.getLogger(__name__)

NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
WARM_UP_S: Final = 30.0
"""For so long after its start a candidate lets others go first: it claims a Lease later, and not at all before it has seen the cluster."""

_HEARTBEAT_S: Final = 60.0  # as of the loop in kspanpy.ops.health
_REPORT_EVERY_S: Final = 60.0
_RIGHT: Final = {Get: "get", Create: "create", Update: "update"}


def own_namespace(setting: str, *, file: Path = NAMESPACE_FILE) -> str:
    """The namespace of the Lease: the setting, or the pod's. Raises StartupError when there is neither."""
    if setting:
        return setting
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        raise StartupError(
            "KSPANPY_LEASE is set but this is not a pod: KSPANPY_LEASE_NAMESPACE must say where the Lease is"
        ) from None


def own_identity() -> str:
    """Of this process alone: the name of the pod and a random part, for two processes on one host."""
    return f"{os.uname().nodename[:200]}_{secrets.token_hex(4)}"


class Elector:
    """Check it, start it, stop it, each once. The rest may be called from any thread."""

    def __init__(
        self,
        client: Client,
        *,
        name: str,
        namespace: str,
        identity: str = "",
        timing: Timing | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._client, self._name, self._namespace = client, name, namespace
        self._clock = clock or SystemClock()
        self._election = Election(identity or own_identity(), timing=timing, random=random.random)
        self._path = f"/apis/{lease.GROUP_VERSION}/namespaces/{namespace}/leases"
        self._lag_ns: Callable[[], int] = lambda: 0
        self._is_warm: Callable[[], bool] = lambda: True
        self._changed: Callable[[], None] = lambda: None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="elector", daemon=True)
        self._began_s = self._heartbeat_s = self._clock.monotonic()
        self._reported_s: float | None = None
        self._said = ""
        self.failures = 0
        """Requests that failed, since the start."""

    @property
    def identity(self) -> str:
        """Under which name this process takes part."""
        return self._election.identity

    @property
    def holder(self) -> str:
        """Who holds the Lease, as far as is known here."""
        return self._election.holder

    @property
    def former_acknowledged_ns(self) -> int:
        """Wall clock of an earlier process: what it had finished before then was acknowledged. 0: nobody said so."""
        return self._election.former_acknowledged_ns or 0

    @property
    def settled_until(self) -> float | None:
        """`Election.settled_until`."""
        return self._election.settled_until

    def leads(self) -> bool:
        """Whether this process may send, at this very moment."""
        return self._election.leads(self._clock.monotonic())

    def not_alive(self) -> str:
        """Why this process can neither lead nor take over any more; empty while it can."""
        silent = self._clock.monotonic() - self._heartbeat_s
        return f"the elector has not come round for {silent:.0f} s" if silent > _HEARTBEAT_S else ""

    def check(self) -> None:
        """A first look, and whether the rights are there to take the Lease when it comes to that. Raises StartupError.

        Nothing is changed: the write is a dry run. An API server that does not answer is no reason not to start.
        """
        sent = self._clock.monotonic()
        answer = self._carry_out(Get())
        self._demand(Get(), answer)
        self._election.may_claim = False
        self._election.answered(Get(), answer, sent=sent, now=self._clock.monotonic())
        trial: Request | None = None
        if isinstance(answer, lease.Lease):
            trial = Update(answer.record, answer)
        elif isinstance(answer, Absent):
            trial = Create(lease.Record(term_s=1))
        if trial is not None:
            self._demand(trial, self._carry_out(trial, query={"dryRun": "All"}))

    def start(self, *, lag_ns: Callable[[], int], is_warm: Callable[[], bool], changed: Callable[[], None]) -> None:
        """Take part. `lag_ns`: how long ago the oldest span was finished whose fate is open. `changed` is called after every answer and every wait."""
        self._lag_ns, self._is_warm, self._changed = lag_ns, is_warm, changed
        self._began_s = self._heartbeat_s = self._clock.monotonic()
        self._thread.start()

    def stop(self, deadline_s: float) -> bool:
        """Stop leading, and tell the others. False if that was not done by the deadline: they then wait for the end of the term."""
        end = self._clock.monotonic() + deadline_s
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(max(deadline_s, 0.0))
            if self._thread.is_alive():
                self._election.release()
                return False
        self._election.release()
        while (left_s := end - self._clock.monotonic()) > 0:
            step = self._next()
            if step is None:
                return True
            if isinstance(step, Wait):
                return False  # it has failed: the end of the term tells them soon enough
            self._do(step, timeout_s=left_s)
        return False

    def _run(self) -> None:
        while not self._stopping.is_set():
            is_young = self._clock.monotonic() - self._began_s < WARM_UP_S
            self._election.may_claim = not is_young or self._is_warm()
            self._election.handicap_s = self._election.timing.retry_s if is_young else 0.0
            match self._next():
                case Wait(until=until):
                    self._clock.wait(self._stopping, until - self._heartbeat_s)
                case None:
                    return
                case request:
                    self._do(request)
            self._changed()

    def _next(self) -> Request | Wait | None:
        self._heartbeat_s = self._clock.monotonic()
        return self._election.next(self._heartbeat_s, wall_ns=self._clock.wall_ns(), lag_ns=self._lag_ns())

    def _do(self, request: Request, *, timeout_s: float | None = None) -> None:
        sent = self._clock.monotonic()
        answer = self._carry_out(request, timeout_s=timeout_s)
        self.failures += isinstance(answer, Failed)
        self._election.answered(request, answer, sent=sent, now=self._clock.monotonic())
        self._report(answer)

    def _carry_out(
        self, request: Request, *, query: dict[str, str] | None = None, timeout_s: float | None = None
    ) -> Answer:
        slowest = min(timeout_s or self._election.timing.request_s, self._election.timing.request_s)
        try:
            return _answer(self._send(request, query or {}, slowest))
        except TransportError as error:
            return Failed(error.reason)
        except Exception as error:  # noqa: BLE001 - a defect must not cost the leadership of all time to come
            _log.error("a request for the Lease failed: %s", type(error).__name__)
            return Failed(FailureReason.INTERNAL)

    def _send(self, request: Request, query: dict[str, str], timeout_s: float) -> Response:
        item = f"{self._path}/{self._name}"
        match request:
            case Create(record=record):
                body = lease.encode(record, name=self._name, namespace=self._namespace)
                return self._client.write("POST", self._path, body, query=query, timeout_s=timeout_s)
            case Update(record=record, lease=before):
                body = lease.encode(record, name=self._name, namespace=self._namespace, replaces=before)
                return self._client.write("PUT", item, body, query=query, timeout_s=timeout_s)
            case _:
                with self._client.stream(item, timeout_s=timeout_s) as stream:
                    body = stream.body(limit=lease.LARGEST, within_s=timeout_s)
                    return Response(stream.status, stream.headers, body)

    def _demand(self, request: Request, answer: Answer) -> None:
        where = f"leases of coordination.k8s.io in namespace {self._namespace}"
        match request, answer:
            case _, Failed(reason=FailureReason.FORBIDDEN):
                raise StartupError(
                    f"KSPANPY_LEASE={self._name}: may not {_RIGHT[type(request)]} {where}; install deploy/components/ha"
                )
            case Create(), Absent():
                raise StartupError(f"KSPANPY_LEASE={self._name}: there is no namespace {self._namespace}")
            case _, Failed(reason=reason):
                _log.warning("can not %s %s (%s); will try again", _RIGHT[type(request)], where, reason)

    def _report(self, answer: Answer) -> None:
        """Changes, and once a minute what goes wrong."""
        now = self._clock.monotonic()
        leads, holder = self._election.leads(now), self._election.holder
        state = "leads" if leads else f"stands by for {sanitize.text(holder, 200)}" if holder else "stands by"
        if state != self._said and not isinstance(answer, Conflict):
            self._said = state
            _log.info("%s %s", self.identity, state, extra={"lease": f"{self._namespace}/{self._name}"})
        if not isinstance(answer, Failed):
            self._reported_s = None
        elif self._reported_s is None or now - self._reported_s > _REPORT_EVERY_S:
            self._reported_s = now
            _log.warning("the Lease can not be read or written (%s); will try again", answer.reason)


def _answer(response: Response) -> Answer:
    match response.status:
        case 200 | 201:
            found = lease.decode(response.body)
            return found if found is not None else Failed(FailureReason.UNREADABLE)
        case 404:
            return Absent()
        case 409:
            return Conflict()
        case status:
            return Failed(of_status(status), retry_after(response.headers.get("retry-after")) or 0.0)
