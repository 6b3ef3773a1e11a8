"""The composition root of `kspanpy run`: settings in, a running service out. It wires; what it wires decides."""

from kspanpy.app.service import run
from kspanpy.app.signals import Interrupted, Signals

__all__ = ["Interrupted", "Signals", "run"]
