"""The image: locked, without a compiler, not root, process 1 gets the signals. (It is read here; a build needs Docker.)"""

import json
from pathlib import Path

DOCKERFILE = (Path(__file__).parents[2] / "Dockerfile").read_text()
INSTRUCTIONS = [
    line.split(maxsplit=1) for line in DOCKERFILE.replace("\\\n", " ").splitlines() if line and line[0] not in " #"
]


def last(instruction: str) -> str:
    """What the last such instruction says."""
    return [rest for name, rest in INSTRUCTIONS if name == instruction][-1]


def test_it_is_not_root() -> None:
    """The user is a number, so that runAsNonRoot can be checked, and the same as in the manifests."""
    assert last("USER") == "65534:65534"


def test_signals_reach_the_program() -> None:
    """Exec form, no shell in between; `run` unless told otherwise."""
    assert json.loads(last("ENTRYPOINT")) == ["kspanpy"]
    assert json.loads(last("CMD")) == ["run"]


def test_everything_installed_is_locked() -> None:
    """Every install of dependencies asks for hashes, the project itself brings none."""
    installs = [
        step for name, rest in INSTRUCTIONS if name == "RUN" for step in rest.split("&&") if " install " in step
    ]
    assert installs
    assert all("--require-hashes" in step or "--no-deps" in step for step in installs)


def test_the_last_stage_installs_nothing() -> None:
    """No compiler, no package manager run: only what the first stage made is copied."""
    final = INSTRUCTIONS[[i for i, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM"][-1] :]
    assert [name for name, _ in final if name in {"RUN", "ADD"}] == []
