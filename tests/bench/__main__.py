"""The command behind `scripts/bench`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from tests.bench import page
from tests.bench.baseline import baseline, compare, merged
from tests.bench.figures import Figure, table
from tests.bench.registry import SCENARIOS, SHORT, summary

BASELINE: Final = Path(__file__).with_name("baseline.json")
PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


def machine() -> dict[str, Any]:
    """Where it was measured, without names."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def options() -> argparse.Namespace:
    """What was asked for."""
    listed = "\n".join(f"  {name:14}{summary(run)}" for name, run in SCENARIOS.items())
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="What kspanpy costs, against its goals. Exits 1 when a comparison fails; a goal that is missed is only said.",
        epilog=f"scenarios:\n{listed}\n  {'real':14}Against a real control plane and Collector: see scripts/bench real --help\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios; without one, all but real")
    parser.add_argument("--short", action="store_true", help=f"small sizes, 90 s in all: {', '.join(SHORT)}")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures there")
    parser.add_argument("--save", action="store_true", help="make this run the baseline (tests/bench/baseline.json)")
    parser.add_argument(
        "--compare", type=Path, metavar="PATH", nargs="?", const=BASELINE, help="fail if it is worse than that"
    )
    parser.add_argument(
        "--page", type=Path, metavar="JSON", nargs="+", help="only renew docs/performance.md from such files"
    )
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in SCENARIOS]
    if unknown:
        parser.error(f"no scenario {', '.join(unknown)}; there are: {', '.join(SCENARIOS)}, real")
    return given


def run(names: list[str], *, short: bool) -> list[Figure]:
    """Runs them; says on stderr which one is under way."""
    figures: list[Figure] = []
    for name in names:
        began = time.monotonic()
        print(f"{name} ...", end="", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="kspanpy-bench-") as folder:
            figures += SCENARIOS[name](short=short, folder=Path(folder))
        print(f" {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return figures


def report(figures: list[Figure], *, form: str) -> dict[str, Any]:
    """What `--json` writes."""
    return {"form": form, "machine": machine(), "figures": [one.as_dict() for one in figures]}


def key(name: str, *, short: bool) -> str:
    """The sizes differ, so each form has a baseline of its own."""
    return f"{name} (short)" if short else name


def main() -> None:
    """See `scripts/bench --help`."""
    if sys.argv[1:2] == ["real"]:
        from tests.bench.real import command  # only here: it needs ../shared

        figures, given = command.main(sys.argv[2:])
        _finish(figures, given.json, form="real")
        return
    given = options()
    if given.page:
        page.renew(given.page)
        return
    names = given.names or (list(SHORT) if given.short else list(SCENARIOS))
    figures = run(names, short=given.short)
    _finish(figures, given.json, form="short" if given.short else "full")
    form = "short" if given.short else "full"
    saved = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    if given.save:
        saved[form] = merged(saved.get(form, {}), baseline(figures, PYTHON))
        BASELINE.write_text(json.dumps(saved, indent=1) + "\n")
    if given.compare:
        against = json.loads(given.compare.read_text()).get(form, {})
        found = compare(figures, against, PYTHON)
        print("\n" + "\n".join(found.lines))
        if found.failed:
            sys.exit(f"worse than the baseline: {', '.join(found.failed)}")


def _finish(figures: list[Figure], path: Path | None, *, form: str) -> None:
    print(table(figures))
    short = [one.key for one in figures if one.verdict == "falls short"]
    good = sum(one.verdict == "ok" for one in figures)
    print(f"\n{good} goals met, {len(short)} not" + (f": {'; '.join(short)}" if short else ""))
    if path is not None:
        path.write_text(json.dumps(report(figures, form=form), indent=1) + "\n")


if __name__ == "__main__":
    main()
