"""What an object belongs to, as the tools that apply it write on it: a Helm release, a Flux or Argo CD object, a version.

It is no proof that the tool made this change - the marks stay when somebody edits by hand - and is told beside the manager, which
is. Only facts of the API: kubernetes-events 3.2 has the sources.
"""

from __future__ import annotations

import re

import msgspec

from kspanpy.core.model import Object

_CAUSE = "kubernetes.io/change-cause"
_MAX_CAUSE = 256
_TRACKING = re.compile(r"([^:]+):([^/:]*)/([^:/]+):([^/:]*)/(.+)")  # <app>:<group>/<kind>:<namespace>/<name>
# What --record wrote holds the whole command line, which may set variables: from the first argument with a value on it is left out.
_RECORDED = re.compile(r"(?:kubectl|oc)(?:\.exe)? ")
_ARGUMENTS = re.compile(r"\s(?:-|\S*[={\"'])")


class Provenance(msgspec.Struct, frozen=True):
    """Names; empty where nothing is written."""

    helm_release: str = ""
    helm_namespace: str = ""
    helm_chart: str = ""
    kustomization: str = ""  # Flux
    kustomization_namespace: str = ""
    helmrelease: str = ""  # Flux
    helmrelease_namespace: str = ""
    application: str = ""  # Argo CD
    version: str = ""  # app.kubernetes.io/version


NOTHING = Provenance()


def of(obj: Object) -> Provenance:
    """What is written on the object."""
    labels, annotations = obj.labels, obj.annotations
    if not labels and not annotations:
        return NOTHING
    return Provenance(
        helm_release=annotations.get("meta.helm.sh/release-name", ""),
        helm_namespace=annotations.get("meta.helm.sh/release-namespace", ""),
        helm_chart=labels.get("helm.sh/chart", ""),
        kustomization=labels.get("kustomize.toolkit.fluxcd.io/name", ""),
        kustomization_namespace=labels.get("kustomize.toolkit.fluxcd.io/namespace", ""),
        helmrelease=labels.get("helm.toolkit.fluxcd.io/name", ""),
        helmrelease_namespace=labels.get("helm.toolkit.fluxcd.io/namespace", ""),
        application=_application(obj),
        version=labels.get("app.kubernetes.io/version", ""),
    )


def cause(before: Object | None, after: Object) -> str:
    """The reason that somebody wrote for this change; one that was there before belongs to an older one."""
    text = after.annotations.get(_CAUSE, "")
    if not text or (before is not None and before.annotations.get(_CAUSE) == text):
        return ""
    return _shortened(text)


def _shortened(text: str) -> str:
    if _RECORDED.match(text) and (arguments := _ARGUMENTS.search(text)) is not None:
        text = text[: arguments.start()] + " …"
    return text if len(text) <= _MAX_CAUSE else text[: _MAX_CAUSE - 1] + "…"


def _application(obj: Object) -> str:
    """The Argo CD application, if the mark is about this very object: marks are copied with all annotations (3.2)."""
    match = _TRACKING.fullmatch(obj.annotations.get("argocd.argoproj.io/tracking-id", ""))
    if match is None:
        return obj.labels.get("argocd.argoproj.io/instance", "")
    application, *about = match.groups()
    group = obj.api_version.rpartition("/")[0]
    return application if about == [group, obj.kind, obj.namespace, obj.name] else ""
