"""Who speaks to the real API server: address, trust and client certificate or token of a kubeconfig with everything inline."""

from __future__ import annotations

import base64
import re
import ssl
import tempfile
from pathlib import Path
from urllib.parse import urlsplit


class Account:
    """Of one kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        text = kubeconfig.read_text()

        def field(name: str) -> str:
            found = re.search(rf"^\s*-?\s*{name}:\s*\"?([^\s\"]+)", text, re.MULTILINE)
            return found[1] if found else ""

        server = urlsplit(field("server"))
        assert server.hostname is not None
        self.host, self.port = server.hostname, server.port or 443
        self.headers = {"Accept": "application/json"}
        if token := field("token"):
            self.headers["Authorization"] = f"Bearer {token}"
        authority = base64.b64decode(field("certificate-authority-data")).decode()
        self.tls = ssl.create_default_context(cadata=authority)
        if certificate := field("client-certificate-data"):
            with tempfile.NamedTemporaryFile() as pair:
                for part in (certificate, field("client-key-data")):
                    pair.write(base64.b64decode(part) + b"\n")
                pair.flush()
                self.tls.load_cert_chain(pair.name)
