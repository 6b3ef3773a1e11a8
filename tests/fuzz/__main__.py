"""Runs one fuzz target under atheris: `python -m tests.fuzz decode|linker [arguments of libFuzzer]`; see scripts/fuzz."""

from __future__ import annotations

import importlib
import sys

MISSING = 3  # exit code: no atheris here


def main() -> None:
    """The module must be imported while atheris watches."""
    name, *arguments = sys.argv[1:]
    try:
        import atheris
    except ImportError:
        print("no atheris here: there are wheels for CPython 3.11 to 3.13 on Linux x86_64 only", file=sys.stderr)
        sys.exit(MISSING)
    with atheris.instrument_imports(include=["kspanpy"]):
        target = importlib.import_module(f"tests.fuzz.{name}")
    atheris.Setup([name, *arguments], target.check)
    atheris.Fuzz()


main()
