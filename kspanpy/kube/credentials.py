"""Which API server, and as whom: the official client's configuration, with errors that a user can act on.

A kubeconfig when one is named or lies where kubectl looks, else the service account of the pod. All the formats, exec plugins, OIDC,
proxies and TLS settings are the official client's. Its error texts are not used: the names in them quote whole kubeconfig entries, tokens
included, and a failing exec plugin is only logged, and the client then goes on without credentials.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from kubernetes.client.configuration import Configuration
from kubernetes.config import load_incluster_config
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

from kspanpy.errors import StartupError

_DEFAULT: Final = "~/.kube/config"
_SHOWN: Final = 10
_SECRET: Final = re.compile(r"[A-Za-z0-9_\-.=+/]{24,}")
_UNSAFE: Final = re.compile(r"[^\x20-\x7e]+")

POOL: Final = 256  # idle connections that are kept; a watch has one of its own


def load(*, kubeconfig: str | None, context: str | None) -> Configuration:
    """The configuration, or a StartupError that says what is missing."""
    paths = kubeconfig or os.environ.get("KUBECONFIG") or _DEFAULT
    found = [path for path in paths.split(os.pathsep) if path and Path(path).expanduser().is_file()]
    configuration = Configuration()
    if found:
        _from_kubeconfig(configuration, paths=os.pathsep.join(found), context=context)
    elif kubeconfig:
        raise StartupError(f"kubeconfig {kubeconfig}: there is no such file")
    elif "KUBERNETES_SERVICE_HOST" in os.environ:
        _from_pod(configuration, context=context)
    else:
        raise StartupError(
            f"no cluster: there is no kubeconfig at {paths} and this is not a pod; use --kubeconfig or set KUBECONFIG"
        )
    configuration.retries = False  # urllib3 takes False for "not even once"; ours are counted
    configuration.keep_alive = True
    configuration.connection_pool_maxsize = POOL
    return configuration


def server(configuration: Configuration) -> str:
    """The API server's address without whatever else a URL may hold."""
    parts = urlsplit(configuration.host)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _from_pod(configuration: Configuration, *, context: str | None) -> None:
    if context:
        raise StartupError(f"context {context!r} needs a kubeconfig; in a pod the service account is used")
    try:
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 - whatever it is, its text must not be shown
        raise StartupError(
            "the pod's service account can not be used: mount its token and CA (automountServiceAccountToken)"
        ) from None


def _from_kubeconfig(configuration: Configuration, *, paths: str, context: str | None) -> None:
    try:
        merged = KubeConfigMerger(paths)  # type: ignore[no-untyped-call]
        content = merged.config.value
        contexts = {entry.value["name"]: entry.value["context"] for entry in content["contexts"]}
        name = context or content.get("current-context") or ""
    except Exception as error:  # noqa: BLE001 - whatever it is, its text must not be shown
        raise StartupError(
            f"kubeconfig {paths} can not be read ({type(error).__name__}); try `kubectl config view`"
        ) from None
    if not name:
        raise StartupError(f"kubeconfig {paths} has no current-context; choose one with --context{_choice(contexts)}")
    if name not in contexts:
        raise StartupError(f"kubeconfig {paths} has no context {name!r}; it has{_choice(contexts)}")
    command = _check_exec(content, contexts[name], paths=paths)
    with quiet_plugins() as said:
        try:
            loader: Any = KubeConfigLoader(  # type: ignore[no-untyped-call]
                config_dict=merged.config,
                active_context=name,
                config_base_path=None,
                config_persister=merged.save_changes,
            )
            loader.load_and_set(configuration)
        except Exception as error:  # noqa: BLE001 - whatever it is, its text must not be shown
            raise StartupError(
                f"kubeconfig {paths}, context {name!r} can not be used ({type(error).__name__}); try `kubectl --context {name} version`"
            ) from None
    if command and not configuration.api_key and not configuration.cert_file:
        raise StartupError(f"exec plugin {command!r} of kubeconfig {paths} gave no credentials{_words(said)}")


def _check_exec(content: Mapping[str, Any], context: Mapping[str, Any], *, paths: str) -> str:
    """The name of the exec plugin that the context's user needs, if any."""
    users = {entry.value["name"]: entry.value.get("user") or {} for entry in content["users"]}
    plugin = users.get(context.get("user"), {}).get("exec") or {}
    command = str(plugin.get("command") or "")
    if not command:
        return ""
    here = Path(paths.split(os.pathsep, maxsplit=1)[0]).expanduser().parent
    if shutil.which(command) is None and not (os.sep in command and (here / command).is_file()):
        raise StartupError(
            f"kubeconfig {paths} needs the exec plugin {command!r}, which is not installed (not in PATH)"
        )
    return command


@contextmanager
def quiet_plugins() -> Iterator[list[str]]:
    """The official client logs what an exec plugin said to the root logger; here it is collected instead."""
    said: list[str] = []

    def collect(record: logging.LogRecord) -> bool:
        if record.module != "kube_config":
            return True
        if len(said) < _SHOWN:
            said.append(record.getMessage())
        return False

    root = logging.getLogger()
    handler = logging.NullHandler()
    root.addHandler(handler)  # `logging.error` would set up the root logger if it had no handler
    root.addFilter(collect)
    try:
        yield said
    finally:
        root.removeFilter(collect)
        root.removeHandler(handler)


def _words(said: list[str]) -> str:
    """What the plugin said, if it can be shown: one line, no long words, which might be tokens."""
    if not said or not said[0].startswith("exec:"):
        return ""
    return ": " + _SECRET.sub("[...]", _UNSAFE.sub(" ", said[0].removeprefix("exec:").strip()))[:200]


def _choice(contexts: Mapping[str, Any]) -> str:
    names = sorted(contexts)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ": " + (", ".join(names[:_SHOWN]) or "none") + more
