"""Which labels and annotations are kept. Everything else is forgotten while decoding.

An allow-list, because annotations are where people keep configuration, and kubectl's last-applied-configuration is a whole
manifest (with the values of environment variables). Adding a key means: a rule of the core reads it.
"""

from __future__ import annotations

LABELS = frozenset(
    {
        # Who applied it (https://kubernetes.io/docs/reference/labels-annotations-taints/, Helm, Flux, Argo CD)
        "app.kubernetes.io/name",
        "app.kubernetes.io/instance",
        "app.kubernetes.io/version",
        "app.kubernetes.io/managed-by",
        "app.kubernetes.io/part-of",
        "app.kubernetes.io/component",
        "helm.sh/chart",
        "kustomize.toolkit.fluxcd.io/name",
        "kustomize.toolkit.fluxcd.io/namespace",
        "helm.toolkit.fluxcd.io/name",
        "helm.toolkit.fluxcd.io/namespace",
        "argocd.argoproj.io/instance",
        # Who owned it, when the owner is already gone
        "pod-template-hash",
        "controller-revision-hash",
        "batch.kubernetes.io/job-name",
        "batch.kubernetes.io/controller-uid",
        "job-name",
        "statefulset.kubernetes.io/pod-name",
    }
)

ANNOTATIONS = frozenset(
    {
        "deployment.kubernetes.io/revision",
        "kubernetes.io/change-cause",
        # A static Pod's mirror: Events carry the hash where a uid belongs
        "kubernetes.io/config.mirror",
        "kubernetes.io/config.hash",
        "kubernetes.io/config.source",
        "batch.kubernetes.io/cronjob-scheduled-timestamp",
        "cronjob.kubernetes.io/instantiate",
        # Which tool, which revision
        "meta.helm.sh/release-name",
        "meta.helm.sh/release-namespace",
        "argocd.argoproj.io/tracking-id",
        "source.toolkit.fluxcd.io/revision",
        "kustomize.toolkit.fluxcd.io/revision",
        "kustomize.toolkit.fluxcd.io/originRevision",
        "helm.toolkit.fluxcd.io/revision",
        "helm.toolkit.fluxcd.io/token",
        # W3C trace contexts that others left here
        "tracing.k8s.io/traceparent",
        "tracing.k8s.io/tracestate",
        "traceparent",
        "tracestate",
        "tekton.dev/pipelinerunSpanContext",
        "tekton.dev/taskrunSpanContext",
    }
)

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"  # of a pod template
INITIAL_EVENTS_END = "k8s.io/initial-events-end"  # of a bookmark: the watch has sent all that was there

# How much of an object is kept. Real objects are far below; what is above is cut, so that nothing grows without bound.
MAX_OWNERS = 16
MAX_MANAGERS = 64
MAX_CONDITIONS = 32
MAX_CONTAINERS = 64
MAX_CLAIMS = 64

LABEL_VALUE = 253
ANNOTATION_VALUE = 1024
IMAGE = 512
FIELD_PATH = 256

MAX_OBJECT_BYTES = 16 * 1024 * 1024  # ten times what etcd takes
