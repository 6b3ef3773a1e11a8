"""kspanpy turns Kubernetes Events into OpenTelemetry traces. See docs/architecture.md."""

__version__ = "0.1.0"
