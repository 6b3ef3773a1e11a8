"""Every setting of kspanpy: name, meaning, unit, default, bounds. One model, read from flags, then KSPANPY_*, then defaults.

The drivers below never see this package: `kspanpy.app` hands plain values down to them.
"""

from kspanpy.settings.loading import Loaded, load
from kspanpy.settings.model import PREFIX, Settings

__all__ = ["PREFIX", "Loaded", "Settings", "load"]
