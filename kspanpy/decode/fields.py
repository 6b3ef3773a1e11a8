"""Which labels and annotations are kept. Everything else is forgotten while decoding.

An allow-list, because annotations are where people keep configuration, and kubectl's last-applied-configuration is a whole
manifest (with the values of environment variables). Adding a key means: a rule of the core reads it. The one exception is told
by its form and not by its key, which the user may choose: a W3C traceparent is two ids and nothing else.
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
        "deployment.kubernetes.io/revision-history",
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
        # W3C trace contexts as JSON; those that are a traceparent are known by their form, under whatever key
        "tekton.dev/pipelinerunSpanContext",
        "tekton.dev/taskrunSpanContext",
    }
)

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"  # of a pod template
TEMPLATE_HASH = "pod-template-hash"  # a label of a ReplicaSet's pod template
INITIAL_EVENTS_END = "k8s.io/initial-events-end"  # of a bookmark: the watch has sent all that was there

# How much of an object is kept. Real objects are far below; what is above is cut, so that nothing grows without bound.
MAX_OWNERS = 16
MAX_MANAGERS = 64
MAX_CONDITIONS = 32
MAX_CONTAINERS = 64
MAX_CLAIMS = 64
MAX_CONTEXTS = 8  # W3C trace contexts
MAX_PARTS = 512  # of a spec

LABEL_VALUE = 253
ANNOTATION_KEY = 317  # a DNS name of 253, a slash, a name of 63
ANNOTATION_VALUE = 1024
IMAGE = 512
PART = 256
SCHEDULE = 128
FIELD_PATH = 256

MAX_OBJECT_BYTES = 16 * 1024 * 1024  # ten times what etcd takes
