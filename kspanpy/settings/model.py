"""The settings as one frozen model: the only place where a default or a bound of the service is written for users.

Invariants: every field has a description that says what it is for, in the user's words, and a type whose bounds are checked
before anything starts. `reference` makes the help texts and docs/configuration.md of it, so they can not disagree.
"""

from __future__ import annotations

import re
import socket
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from kspanpy.core import shard

PREFIX: Final = "KSPANPY_"

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
_NAMESPACE = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
_ADDRESS = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):[0-9]{1,5}$"
_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"


def _split(value: object) -> object:
    """`a,b c` as names: a variable is one text, a flag too."""
    return tuple(name for name in re.split(r"[,\s]+", value) if name) if isinstance(value, str) else value


def _numbered(text: str) -> str:
    """The shard with its number, also where that is the host's."""
    return str(shard.parse(text, host=socket.gethostname())) if text else text


Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4096, pattern=_PRINTABLE)]
Namespace = Annotated[str, StringConstraints(pattern=_NAMESPACE)]
Namespaces = Annotated[tuple[Namespace, ...], BeforeValidator(_split), Field(max_length=256)]
# https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/#syntax-and-character-set
_ANNOTATION = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
Annotation = Annotated[str, StringConstraints(pattern=_ANNOTATION)]
Annotations = Annotated[tuple[Annotation, ...], BeforeValidator(_split), Field(max_length=16)]
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
_SUBDOMAIN = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$"
Lease = Annotated[str, StringConstraints(strip_whitespace=True, pattern=_SUBDOMAIN)]
LeaseNamespace = Annotated[str, StringConstraints(strip_whitespace=True, pattern=f"^$|{_NAMESPACE}")]
Shard = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_numbered)]
Address = Annotated[str, StringConstraints(strip_whitespace=True, pattern=_ADDRESS)]


class Settings(BaseModel):
    """What the user may change."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    # Which cluster, and what of it
    kubeconfig: Text = Field(
        "", description="Kubeconfig file. Empty: KUBECONFIG, else ~/.kube/config, else the service account of the pod."
    )
    context: Text = Field("", description="Context of the kubeconfig. Empty: its current one.")
    namespaces: Namespaces = Field((), description="Namespaces to watch, separated by commas. Empty: all of them.")
    exclude_namespaces: Namespaces = Field((), description="Namespaces to leave out, separated by commas.")
    cluster_name: Text = Field("", description="Sent as k8s.cluster.name with every span. Empty: not sent.")

    # How stories are told
    hold_seconds: float = Field(
        1.0, ge=0, le=60, description="How long an event waits for what could change its place in the tree."
    )
    settle_seconds: float = Field(
        10.0, ge=0, le=600, description="How long a rollout must stay complete before its story is closed."
    )
    quiet_seconds: float = Field(
        30.0, ge=1, le=3600, description="How long a healthy object must be quiet before its incident is over."
    )
    story_cap_seconds: float = Field(
        3300.0, ge=60, le=3600, description="A story that lasts longer continues in a linked trace."
    )

    traceparent: Literal["link", "parent", "ignore"] = Field(
        "link",
        description="What becomes of a W3C trace context that came with a change: the story links to that span, "
        "is a child of it in its trace, or neither.",
    )
    traceparent_annotations: Annotations = Field(
        (), description="Annotations besides tracing.k8s.io/traceparent that hold one, separated by commas."
    )

    shard: Shard = Field(
        "",
        description="Which part of the stories this process tells, by root object: 0/4 is the first of four. auto/4: the number that "
        "the host name ends in, as in a StatefulSet. Empty: all of them.",
    )

    # Where the spans go
    exporter: Literal["otlp", "console", "file", "none"] = Field(
        "otlp", description="Where spans go: an OTLP backend (OTEL_EXPORTER_OTLP_*), the console, a file, or nowhere."
    )
    otlp_exporter: Literal["kspanpy", "sdk"] = Field(
        "kspanpy",
        description="What sends OTLP: kspanpy's own code, or the exporter of the OpenTelemetry SDK, which sends the same "
        "spans but is slower and tells less of what a receiver says.",
    )
    output: Text = Field("", description="File for the exporter `file`, one OTLP/JSON request per line; - is stdout.")
    queue_spans: int = Field(
        65_536, ge=512, le=5_000_000, description="Finished spans kept while the backend is away; then the oldest go."
    )
    queue_megabytes: int = Field(
        64, ge=8, le=65_536, description="The same limit in megabytes (MiB) of encoded spans; a span has about 1 KB."
    )
    spill_megabytes: int = Field(
        256,
        ge=8,
        le=1_048_576,
        description="Finished spans kept on disk, in megabytes (MiB), where there is a state directory; then the oldest go. "
        "The two limits above are then those of memory.",
    )
    shutdown_seconds: float = Field(
        25.0, ge=1, le=3600, description="How long to go on sending at shutdown. Keep it below the pod's grace period."
    )

    # What survives the process
    state_directory: Text = Field(
        "",
        description="Folder for what must survive a restart: open stories, and spans not yet sent. Empty: nothing does.",
    )

    # How much is remembered
    max_objects: int = Field(
        200_000,
        ge=1_000,
        le=5_000_000,
        description="Objects remembered; beyond it the least recently seen are forgotten.",
    )
    max_pending: int = Field(
        20_000, ge=100, le=1_000_000, description="Events that may wait for their objects at a time."
    )
    inbox_items: int = Field(
        10_000,
        ge=100,
        le=1_000_000,
        description="Watch items between watching and linking; when full, the watches wait, and who floods loses Events.",
    )

    # High availability
    lease: Lease = Field(
        "", description="Lease by which several replicas agree on who sends. Empty: this process always sends."
    )
    lease_namespace: LeaseNamespace = Field("", description="Namespace of the Lease. Empty: the namespace of the pod.")

    # How the service shows itself
    listen: Address = Field(
        "0.0.0.0:8080", description="Address of /livez, /readyz and /metrics. Port 0: any free one."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line written."
    )
    log_format: Literal["json", "text"] = Field("json", description="Form of the log lines of `kspanpy run`.")


# What belongs together, for the help texts and the page. Every field is in exactly one group.
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "Cluster": ("kubeconfig", "context", "namespaces", "exclude_namespaces", "cluster_name"),
    "Stories": (
        "hold_seconds",
        "settle_seconds",
        "quiet_seconds",
        "story_cap_seconds",
        "traceparent",
        "traceparent_annotations",
        "shard",
    ),
    "Export": ("exporter", "otlp_exporter", "output", "queue_spans", "queue_megabytes", "shutdown_seconds"),
    "State": ("state_directory", "spill_megabytes"),
    "Memory": ("max_objects", "max_pending", "inbox_items"),
    "High availability": ("lease", "lease_namespace"),
    "Service": ("listen", "log_level", "log_format"),
}
