"""How the service shows itself: log lines, /livez, /readyz, /metrics. It reads the others; none of them knows it."""
