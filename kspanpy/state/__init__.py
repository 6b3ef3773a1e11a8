"""What survives the process: the linker and its inputs, the watches' cursors, the spans that nobody has settled.

inputs     the linker's inputs as bytes
snapshot   the linker as bytes
file       one SQLite file and one snapshot that hold them, a round of the loop as a transaction
"""

from kspanpy.state.errors import UnusableStateError
from kspanpy.state.file import Row, StateFile, Target
from kspanpy.state.snapshot import fingerprint

__all__ = ["Row", "StateFile", "Target", "UnusableStateError", "fingerprint"]
