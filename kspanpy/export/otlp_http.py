"""One attempt to send a request by OTLP/HTTP with binary protobuf.

`requests` brings the standard proxy variables; what else it would do on its own is switched off: redirects (a redirected
POST becomes a GET, and the spans are gone), ~/.netrc (it would replace the Authorization header), REQUESTS_CA_BUNDLE where
a certificate is set. Of an answer no more than `MAX_ANSWER` bytes are read, and a request ends when its time is over.
"""

from __future__ import annotations

import gzip
import time
from typing import Final

import requests

from kspanpy import __version__
from kspanpy.export import answers
from kspanpy.export.interruptible import InterruptibleAdapter
from kspanpy.export.retry import Accepted, Outcome, Permanent, Transient, http_outcome, retry_after
from kspanpy.export.settings import OtlpSettings
from kspanpy.export.tls import TlsFiles

MAX_ANSWER: Final = 64 * 1024
PROTOBUF: Final = "application/x-protobuf"


class HttpSender:
    """See the module."""

    def __init__(self, settings: OtlpSettings) -> None:
        self._settings = settings
        self._files = TlsFiles(settings)
        self._adapter = InterruptibleAdapter()
        self._session = self._open()
        self._is_closed = False

    def send(self, payload: bytes, *, timeout_s: float) -> Outcome:
        """Send once; never raises."""
        deadline = time.monotonic() + timeout_s
        try:
            if self._is_closed:
                return Transient("closed")
            if self._files.changed():
                self._session.close()
                self._adapter = InterruptibleAdapter()
                self._session = self._open()  # urllib3 keeps what it read from the files for as long as its pool lives
            with self._adapter.limited_to(timeout_s):
                return self._post(payload, deadline, timeout_s)
        except Exception as error:  # noqa: BLE001 - whatever it is, a later attempt may go better, and nothing is lost meanwhile
            if time.monotonic() >= deadline or isinstance(error, requests.Timeout):
                return Transient(f"no answer within {timeout_s:g} s", timed_out=True)
            return Transient(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Ends a request under way."""
        self._is_closed = True
        self._adapter.interrupt()
        self._session.close()

    def _post(self, payload: bytes, deadline: float, timeout_s: float) -> Outcome:
        settings = self._settings
        headers = {"Content-Type": PROTOBUF}
        if settings.compression == "gzip":
            payload = gzip.compress(payload, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        with self._session.post(
            settings.endpoint,
            data=payload,
            headers=headers,
            timeout=(timeout_s, timeout_s),
            allow_redirects=False,
            stream=True,
            verify=settings.certificate or True,
            cert=(settings.client_certificate, settings.client_key) if settings.client_key else None,
        ) as response:
            body = bytearray()
            for chunk in response.iter_content(8192):
                body += chunk
                if len(body) > MAX_ANSWER or time.monotonic() > deadline:
                    response.close()  # the status is known; the rest of the text is not worth more
                    break
            return _outcome(response, bytes(body[:MAX_ANSWER]))

    def _open(self) -> requests.Session:
        session = requests.Session()
        session.mount("http://", self._adapter)
        session.mount("https://", self._adapter)
        session.headers = requests.structures.CaseInsensitiveDict(
            {"User-Agent": f"kspanpy/{__version__}", "Accept": PROTOBUF, **self._settings.headers}
        )
        session.auth = lambda request: request  # without this, ~/.netrc wins over the headers
        return session


def _outcome(response: requests.Response, body: bytes) -> Outcome:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not 200 <= response.status_code < 300:
        details = _error_text(kind, body) or response.reason or ""
        wait_s = retry_after(response.headers.get("Retry-After"), time.time())
        return http_outcome(response.status_code, details, wait_s)
    if kind == "text/html":
        # A login page or a web interface says 200 to everything; nobody took the spans.
        return Permanent(f"HTTP {response.status_code} with a web page: not an OTLP endpoint")
    if kind != PROTOBUF:
        return Accepted()
    try:
        return answers.accepted(body)
    except ValueError:
        return Accepted()  # the status says that it has the spans


def _error_text(kind: str, body: bytes) -> str:
    if kind == PROTOBUF:
        return answers.status_message(body)
    return body[:512].decode("utf-8", "replace") if kind in ("text/plain", "application/json", "") else ""
