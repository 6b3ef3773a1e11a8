"""The pure core: causality of Kubernetes objects and Events, without a clock, a network or an environment."""
