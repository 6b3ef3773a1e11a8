"""The TLS files of the settings: checked when the program starts, noticed when they are replaced while it runs."""

from __future__ import annotations

from pathlib import Path

from kspanpy.core import sanitize
from kspanpy.errors import UsageError
from kspanpy.export.settings import OtlpSettings


class TlsFiles:
    """Certificates are rotated by replacing files; whoever holds a connection asks `changed` before each attempt."""

    def __init__(self, settings: OtlpSettings) -> None:
        self.certificate = settings.certificate
        self.client_key = settings.client_key
        self.client_certificate = settings.client_certificate
        self._seen = self._look()

    def changed(self) -> bool:
        """Whether a file is another one than at the last call. One that is missing just now is being replaced."""
        seen = self._look()
        if None in seen or seen == self._seen:
            return False
        self._seen = seen
        return True

    def check(self) -> None:
        """Raise a `UsageError` that names the file that can not be read."""
        for variable, name in (
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", self.certificate),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", self.client_key),
            ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", self.client_certificate),
        ):
            try:
                read(name)
            except (OSError, ValueError) as error:
                shown = sanitize.text(name, 256)
                raise UsageError(f"{variable}: {shown} can not be read: {_reason(error)}") from None

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_identity(name) for name in (self.certificate, self.client_key, self.client_certificate) if name)


def read(name: str) -> bytes | None:
    """The content of a file; None when there is no name."""
    return Path(name).read_bytes() if name else None


def _identity(name: str) -> tuple[int, int, int] | None:
    try:
        status = Path(name).stat()
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
