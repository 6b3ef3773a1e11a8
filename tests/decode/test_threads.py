"""Decoding on many threads at once, as the watches do from their first moment on."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import kspanpy
from kspanpy.decode import wire
from kspanpy.decode.parsing import decoder

_ALL_AT_ONCE = """
import sys, threading
from kspanpy.decode import object_from

sys.setswitchinterval(1e-6)
KINDS = ["Pod", "Node", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "Event", "PersistentVolumeClaim"]
barrier = threading.Barrier(len(KINDS))
read = []

def go(kind):
    raw = (
        '{"kind": "%s", "metadata": {"name": "a", "uid": "u", "managedFields": [{"manager": "m"}],'
        ' "ownerReferences": [{"kind": "x", "name": "y", "uid": "z"}]},'
        ' "spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}, "status": {"conditions": [{"type": "a"}]}}' % kind
    ).encode()
    barrier.wait()
    read.extend(object_from(raw, kind=kind).name for _ in range(100))

threads = [threading.Thread(target=go, args=(kind,)) for kind in KINDS]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(read))
"""


def test_the_first_objects_of_all_kinds_may_come_at_the_same_moment():
    """Decoders that were made by the threads themselves ended the process with SIGSEGV, nearly always under this load."""
    done = subprocess.run(
        [sys.executable, "-c", _ALL_AT_ONCE],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        cwd=Path(kspanpy.__file__).parents[1],
    )
    assert (done.returncode, done.stdout.strip()) == (0, "1000"), done.stderr


def test_every_decoder_is_made_when_the_package_is_imported():
    """So no thread makes one."""
    made = decoder.cache_info().misses
    for type_ in vars(wire).values():
        if isinstance(type_, type) and issubclass(type_, wire.Wire):
            decoder(type_)
    assert decoder.cache_info().misses == made


def test_no_function_makes_a_decoder_of_its_own():
    """`decode(data, type=...)` makes one wherever it is called; only the types of the language itself are exempt."""
    for path in Path(kspanpy.__file__).parent.rglob("*.py"):
        for line in path.read_text().splitlines():
            assert not re.search(r"\.decode\(.*type=(?!dict\[str, str\])", line), f"{path}: {line}"
            assert not re.search(r"^\s+.*msgspec\.\w+\.Decoder\(", line) or path.name in {"parsing.py", "inputs.py"}, (
                path
            )
