"""`kspanpy` and `python -m kspanpy`."""

from __future__ import annotations

import sys

from kspanpy import cli


def main() -> None:
    """The entry point."""
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
