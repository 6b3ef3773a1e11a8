"""A linker that was written and loaded goes on exactly as the one that was not."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from kspanpy.core.linker import Linker
from kspanpy.core.model import SECOND, Object, OwnerReference
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.steps import ObjectSeen
from kspanpy.state import UnusableStateError, fingerprint, snapshot
from tests.state.recordings import FIXTURES, SETTINGS, Taken, ended, feed, inputs_of

PARTS = 7


def written(linker: object) -> io.BytesIO:
    """As bytes, ready to be read."""
    stream = io.BytesIO()
    snapshot.dump(linker, stream)
    stream.seek(0)
    return stream


def test_every_recording_is_told_the_same_with_seven_restarts(recording: list[Taken]) -> None:
    """Spans and their order are equal to the last byte."""
    whole = Linker(SETTINGS)
    expected = [*feed(whole, recording), *ended(whole, recording[-1][0])]
    linker, told = Linker(SETTINGS), []
    for part in range(PARTS):
        told += feed(linker, recording[part * len(recording) // PARTS : (part + 1) * len(recording) // PARTS])
        linker = snapshot.load(written(linker))
    assert told + ended(linker, recording[-1][0]) == expected


_OTHER_PROCESS = """
import sys, pickle
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.state.recordings import FIXTURES, ended, feed, inputs_of
from kspanpy.state import snapshot
recording = inputs_of(Path(sys.argv[2]))
linker = snapshot.load(open(sys.argv[3], "rb"))
told = feed(linker, recording[len(recording) // 2:])
sys.stdout.buffer.write(pickle.dumps([*told, *ended(linker, recording[-1][0])]))
"""


@pytest.mark.parametrize("name", ["custom-owner", "strategies"])
def test_another_process_with_other_hashes_goes_on_the_same(tmp_path: Path, name: str) -> None:
    """Sets and dicts of strings must not decide anything."""
    path = FIXTURES / "recorded" / f"{name}.ndjson.gz"
    recording = inputs_of(path)
    linker = Linker(SETTINGS)
    feed(linker, recording[: len(recording) // 2])
    (tmp_path / "snapshot").write_bytes(written(linker).read())
    expected = [*feed(linker, recording[len(recording) // 2 :]), *ended(linker, recording[-1][0])]
    for seed in ("1", "2"):
        tests = str(Path(__file__).parents[2])
        done = subprocess.run(
            [sys.executable, "-c", _OTHER_PROCESS, tests, str(path), str(tmp_path / "snapshot")],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        assert pickle.loads(done.stdout) == expected


def test_a_long_chain_of_owners_and_stories_needs_no_deep_stack() -> None:
    """Stories hang together in a large cluster; the writer must not follow them one inside the other."""
    linker = Linker(SETTINGS)
    for number in range(5_000):
        owner = (OwnerReference("example.test/v1", "Link", f"l{number - 1}", f"u{number - 1}", controller=True),)
        link = Object("example.test/v1", "Link", "shop", f"l{number}", f"u{number}", generation=1, owners=owner)
        linker.step(ObjectSeen(link), (1_700_000_000 + number) * SECOND)
    loaded = snapshot.load(written(linker))
    assert loaded.stats() == linker.stats()


class TestTrust:
    """The file lies in a folder that others may have written to."""

    def test_a_pickle_that_would_run_something_does_not(self) -> None:
        """Only classes of the core are loaded."""
        for evil in (
            b"cos\nsystem\n(S'echo hacked'\ntR.",
            b"cbuiltins\neval\n(S'1'\ntR.",
            b"ckspanpy.core.moment\nheapq.heappush\n(]K\x01tR.",
            b"ckspanpy.state.snapshot\nos.system\n(S'x'\ntR.",
        ):
            with pytest.raises(UnusableStateError):
                snapshot.load(io.BytesIO(evil))

    def test_a_torn_file_is_unusable(self) -> None:
        """Wherever it ends."""
        linker = Linker(SETTINGS)
        data = written(linker).read()
        for size in range(0, len(data) - 1, len(data) // 50):
            with pytest.raises(UnusableStateError):
                snapshot.load(io.BytesIO(data[:size]))


def test_the_fingerprint_is_that_of_the_code_and_the_settings() -> None:
    """A state of other settings would be told by those."""
    assert fingerprint(SETTINGS) == fingerprint(LinkerSettings(cluster_uid="the-cluster"))
    assert fingerprint(SETTINGS) != fingerprint(LinkerSettings(cluster_uid="the-cluster", settle_s=11))
