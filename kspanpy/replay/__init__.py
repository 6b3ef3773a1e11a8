"""Capture files: written, read back in order, and fed to a linker without a clock. The contract is in docs/captures.md."""

from kspanpy.replay.driver import Linker, ReplaySummary, replay
from kspanpy.replay.header import Header
from kspanpy.replay.reader import Capture, Entry, read
from kspanpy.replay.writer import CaptureWriter

__all__ = ["Capture", "CaptureWriter", "Entry", "Header", "Linker", "ReplaySummary", "read", "replay"]
