"""A process that offers spans at a steady rate to the OTLP output, and says twice a second how that is going.

    python -m tests.faults.emitter '{"protocol": "grpc", "port": 4317, "rate": 50, "limits": {}, "shelf": "", "first": 1}'

Each line of its output is a reading in JSON: the counters, its resident memory, the longest `offer` so far. It ends when its standard
input ends: drains for ten seconds, closes, and prints a last reading with "closed": true. Spans are numbered from `first`.
"""

from __future__ import annotations

import json
import select
import sys
import time
from pathlib import Path

from kspanpy.export import QueueLimits, otlp_pipeline
from tests.export.spans import spans
from tests.export.wire import settings_for
from tests.fakes.shelf import FileShelf

TICK_S = 0.1


def resident_mib() -> float:
    """Resident memory of this process."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def main() -> None:
    """See the module."""
    plan = json.loads(sys.argv[1])
    shelf = FileShelf(Path(plan["shelf"])) if plan["shelf"] else None
    settings = settings_for(plan["protocol"], plan["port"], timeout_s=plan.get("timeout_s", 10.0))
    pipeline = otlp_pipeline(settings, {}, limits=QueueLimits(**plan["limits"]), shelf=shelf)
    count, longest_s, began, ticks = plan["first"] - 1, 0.0, time.monotonic(), 0

    def say(**more: object) -> None:
        stats = pipeline.stats()
        numbers = {
            name: getattr(stats, name)
            for name in ("emitted", "recovered", "acknowledged", "queued", "in_flight", "left", "spilled")
        }
        dropped = {str(reason): number for reason, number in stats.dropped.items() if number}
        reading = {"dropped": dropped, "rss": resident_mib(), "longest_offer_s": longest_s, "last": count, **more}
        print(json.dumps(numbers | reading), flush=True)

    while True:
        ticks += 1
        wait = began + ticks * TICK_S - time.monotonic()
        if select.select([sys.stdin], [], [], max(wait, 0))[0]:
            break
        new = spans(int(plan["rate"] * TICK_S), count + 1)
        before = time.monotonic()
        pipeline.offer(new)
        longest_s = max(longest_s, time.monotonic() - before)
        count += len(new)
        if ticks % 5 == 0:
            say()
    drained = pipeline.drain(10.0)
    pipeline.close()
    say(closed=True, drained=drained)


if __name__ == "__main__":
    main()
