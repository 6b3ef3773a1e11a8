"""One door to the API server: requests and streams of bytes, on the transport of the official client.

Only its configuration, credentials and connection pool are used. Requests are never retried here, redirects never followed, and every
wait is bounded. A response of any status is a value; `TransportError` is raised when there is none. Safe for use by many threads:
each stream has a connection of its own, and can be closed from another thread, which wakes the one that reads.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal, Self
from urllib.parse import urlencode

import msgspec
import urllib3
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from urllib3 import exceptions

from kspanpy import __version__
from kspanpy.errors import StartupError
from kspanpy.kube import credentials
from kspanpy.kube.failures import FailureReason, TransportError

_log = logging.getLogger(__name__)

CHUNK: Final = 64 * 1024
MAX_BODY: Final = 256 * 1024 * 1024
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
_SLOWEST_BODY_S: Final = 300.0
_RELOAD_S: Final = 30.0
_LARGEST_WRITTEN: Final = 2 * 1024 * 1024  # bytes of the answer to a write: the object, or a Status
_IDENTITY_PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0)


class Response(msgspec.Struct, frozen=True):
    """A whole answer, of any status. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Stream:
    """An answer whose body is still to come."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response
        self._closed = threading.Event()
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()

    def chunks(self) -> Iterator[bytes]:
        """The body as it arrives. Ends at its end; TransportError when the connection breaks before."""
        try:
            if getattr(self._response, "chunked", False):
                yield from self._response.read_chunked(CHUNK, decode_content=True)
            else:
                while data := self._response.read1(CHUNK, decode_content=True):
                    yield data
        except (exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
            # ValueError, AttributeError: what http.client says when its file was closed under it.
            if not self._closed.is_set():
                raise _transport_error(error) from None

    def body(self, *, limit: int = MAX_BODY, within_s: float | None = None) -> bytes:
        """All of the body."""
        parts, size, deadline = [], 0, time.monotonic() + (_SLOWEST_BODY_S if within_s is None else within_s)
        for data in self.chunks():
            size += len(data)
            if size > limit:
                raise TransportError(FailureReason.UNREADABLE, f"an answer of more than {limit} bytes")
            if time.monotonic() > deadline:
                raise TransportError(FailureReason.TIMEOUT, "the answer trickles")
            parts.append(data)
        if self._closed.is_set():
            raise TransportError(FailureReason.RESET, "closed")
        return b"".join(parts)

    def close(self) -> None:
        """From any thread: the one that reads sees the end at once."""
        self._closed.set()
        try:
            self._response.shutdown()
        except (ValueError, RuntimeError, OSError):  # already at its end
            return


class Client:
    """The API server of one configuration. `load` is asked again for credentials when they are rejected."""

    def __init__(self, load: Callable[[], Configuration], *, connect_timeout_s: float = 5.0) -> None:
        self._load = load
        self._connect_timeout_s = connect_timeout_s
        self._lock = threading.Lock()
        self._api = self._new()
        self._loaded_at = time.monotonic()

    def __repr__(self) -> str:
        return f"Client({self.server!r})"

    @property
    def server(self) -> str:
        """Its address, for messages."""
        return credentials.server(self._api.configuration)

    def stream(
        self, path: str, *, query: Mapping[str, str] = {}, headers: Mapping[str, str] = {}, timeout_s: float = 30.0
    ) -> Stream:
        """GET, up to the headers of the answer. `timeout_s` is the longest wait for the next byte."""
        pool, url, all_headers = self._prepare(path)
        try:
            response = pool.request(
                "GET",
                url,
                fields=dict(query),
                headers=all_headers | dict(headers),
                timeout=urllib3.Timeout(connect=self._connect_timeout_s, read=timeout_s),
                preload_content=False,
                retries=False,
                redirect=False,
            )
        except (exceptions.HTTPError, OSError, ValueError) as error:
            failure = _transport_error(error)
            if failure.reason is FailureReason.TLS:  # the CA or the client certificate may have been replaced
                self._reload()
            raise failure from None
        if response.status == 401:
            self._reload()
        return Stream(response)

    def get(
        self, path: str, *, query: Mapping[str, str] = {}, headers: Mapping[str, str] = {}, timeout_s: float = 30.0
    ) -> Response:
        """GET, with the whole body."""
        with self.stream(path, query=query, headers=headers, timeout_s=timeout_s) as stream:
            return Response(stream.status, stream.headers, stream.body())

    def write(
        self, method: Literal["POST", "PUT"], path: str, body: bytes, *, query: Mapping[str, str] = {}, timeout_s: float
    ) -> Response:
        """Sends JSON. `timeout_s` is for each of connecting, and waiting for the next byte; TransportError: it may have been done or not."""
        pool, url, headers = self._prepare(path)
        try:
            response = pool.request(
                method,
                f"{url}?{urlencode(query)}" if query else url,
                body=body,
                headers=headers | {"Content-Type": "application/json"},
                timeout=urllib3.Timeout(connect=min(self._connect_timeout_s, timeout_s), read=timeout_s),
                preload_content=False,
                retries=False,
                redirect=False,
            )
        except (exceptions.HTTPError, OSError, ValueError) as error:
            raise _transport_error(error) from None
        if response.status == 401:
            self._reload()
        with Stream(response) as stream:
            return Response(stream.status, stream.headers, stream.body(limit=_LARGEST_WRITTEN, within_s=timeout_s))

    def cluster_uid(self) -> str:
        """The uid of the namespace kube-system, which stands for the cluster's; empty when it may not be read.

        StartupError when the API server can not say at the moment: the ids of spans hang on it, so it must not be guessed.
        """
        for pause_s in (*_IDENTITY_PAUSES_S, None):
            try:
                response = self.get("/api/v1/namespaces/kube-system", headers={"Accept": METADATA_ONLY})
                if response.status == 200:
                    return _identified.decode(response.body).metadata.uid[:128]
                why, passing = f"HTTP {response.status}", response.status == 429 or response.status >= 500
            except TransportError as error:
                why, passing = str(error), True
            except (msgspec.MsgspecError, UnicodeError):
                why, passing = "unreadable", False
            if not passing:
                break
            if pause_s is None:
                raise StartupError(f"the API server {self.server} does not say which cluster it is ({why}); try again")
            time.sleep(pause_s)
        _log.warning(
            "the cluster has no uid: get on namespaces/kube-system failed (%s); grant it, or name the cluster", why
        )
        return ""

    def server_version(self) -> str:
        """The API server's gitVersion; empty when it does not say."""
        try:
            response = self.get("/version")
            return _version.decode(response.body).gitVersion[:64] if response.status == 200 else ""
        except (TransportError, msgspec.MsgspecError, UnicodeError):
            return ""

    def close(self) -> None:
        """Close idle connections."""
        self._api.rest_client.close()

    def _new(self) -> ApiClient:
        api = ApiClient(configuration=self._load())
        api.user_agent = f"kspanpy/{__version__}"
        return api

    def _prepare(self, path: str) -> tuple[urllib3.PoolManager, str, dict[str, str]]:
        """Fresh credentials: expired ones are renewed here, by one thread at a time."""
        with self._lock, credentials.quiet_plugins():
            try:
                _, url, headers, *_ = self._api.param_serialize("GET", path, auth_settings=["BearerToken"])
            except Exception as error:  # noqa: BLE001 - a plugin, a file; the text may quote credentials
                raise TransportError(FailureReason.CREDENTIALS, type(error).__name__) from None
            return self._api.rest_client.pool_manager, url, dict(headers)

    def _reload(self) -> None:
        """Credentials were rejected: read them again, all of them, but not more than twice a minute."""
        with self._lock:
            if time.monotonic() - self._loaded_at < _RELOAD_S:
                return
            self._loaded_at = time.monotonic()
            try:
                self._api = self._new()
            except StartupError as error:
                _log.warning("credentials were rejected and can not be read again: %s", error)


def connect(*, kubeconfig: str | None = None, context: str | None = None) -> Client:
    """A client of an API server that answers, or a StartupError."""
    client = Client(lambda: credentials.load(kubeconfig=kubeconfig, context=context))
    try:
        status = client.get("/version", timeout_s=10.0).status
    except TransportError as error:
        raise StartupError(f"the API server {client.server} can not be reached ({error}); is the cluster up?") from None
    if status == 401:
        raise StartupError(f"the API server {client.server} rejects the credentials (401): log in again")
    return client


def _transport_error(error: Exception) -> TransportError:
    """The kind of failure, and the operating system's words; never the text of a library, which may quote a URL or header."""
    cause: BaseException | None = error
    system = ""
    for _ in range(6):
        if cause is None:
            break
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, exceptions.HTTPError):
            system = cause.strerror[:100]
            break
        cause = next(
            (item for item in cause.args if isinstance(item, BaseException)), cause.__cause__ or cause.__context__
        )
    match error:
        case exceptions.SSLError():
            reason = FailureReason.TLS
        case exceptions.NewConnectionError() | exceptions.ProxyError() | ConnectionRefusedError():
            reason = FailureReason.REFUSED  # before timeouts: to urllib3 a refusal is one of them
        case exceptions.ConnectTimeoutError() | exceptions.ReadTimeoutError():
            reason = FailureReason.TIMEOUT
        case _:
            reason = FailureReason.RESET
    return TransportError(reason, system or type(error).__name__)


class _Metadata(msgspec.Struct, gc=False):
    uid: str


class _Identified(msgspec.Struct, gc=False):
    metadata: _Metadata


class _Version(msgspec.Struct, gc=False):
    gitVersion: str = ""  # noqa: N815 - its name in the API


_identified = msgspec.json.Decoder(_Identified)
_version = msgspec.json.Decoder(_Version)
