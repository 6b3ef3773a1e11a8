"""The scripts that make large and disordered captures out of small ones."""

import gzip
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from kspanpy.core.timing import name_clock
from kspanpy.decode import nanoseconds
from kspanpy.replay import read

ROOT = Path(__file__).parents[2]
CAPTURES = ROOT / "tests" / "fixtures" / "captures"
UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def run(script, name, *options, packed=True):
    """The lines that a script writes about a capture, and those of the capture."""
    path = CAPTURES / f"{name}.ndjson.gz" if packed else name
    command = [sys.executable, str(ROOT / "scripts" / script), str(path), *map(str, options)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.splitlines(), gzip.decompress(path.read_bytes()).splitlines()


def kind_of(line):
    """Which watch a line is of."""
    return json.loads(line)["object"]["kind"]


def is_shared(line):
    """About a node, which all repetitions have in common."""
    thing = json.loads(line)["object"]
    return "Node" in {thing["kind"], thing.get("involvedObject", {}).get("kind")}


@pytest.mark.parametrize("name", ["deployment", "cronjob", "quota", "statefulset", "crash-loop"])
def test_a_grown_capture_begins_with_the_capture_itself(name):
    """Repetition 0 is unchanged, so what is known about it stays true."""
    grown, lines = run("grow-capture", name, "--events", 200)
    assert grown[1 : len(lines)] == lines[1:]
    assert json.loads(grown[0])["cluster"] == json.loads(lines[0])["cluster"]
    assert sum(kind_of(line) == "Event" for line in grown[1:]) >= 200


@pytest.mark.parametrize("name", ["deployment", "cronjob", "quota", "statefulset", "crash-loop"])
def test_a_repetition_tells_the_same_story_of_other_objects(name):
    """Every uid, name and namespace is another one, and the same one everywhere."""
    grown, lines = run("grow-capture", name, "--events", 200)
    expected = [line for line in lines[1:] if not is_shared(line)]
    second = grown[len(lines) : len(lines) + len(expected)]
    shared = {
        uid for line in lines[1:] if is_shared(line) and kind_of(line) == "Node" for uid in UID.findall(line.decode())
    }
    names = defaultdict(set)
    for old, new in zip(expected, second, strict=True):
        old_uids, new_uids = UID.findall(old.decode()), UID.findall(new.decode())
        for before, after in zip(old_uids, new_uids, strict=True):
            names[before].add(after)
            assert (before == after) == (before in shared)
        old_meta, new_meta = json.loads(old)["object"]["metadata"], json.loads(new)["object"]["metadata"]
        names[old_meta["namespace"], old_meta["name"]].add((new_meta["namespace"], new_meta["name"]))
        assert old_meta["namespace"] != new_meta["namespace"]
        assert old_meta["name"] != new_meta["name"]
        message, renamed = json.loads(old)["object"].get("message", ""), json.loads(new)["object"].get("message", "")
        assert re.sub(r"-r1(?=\W|$|_)", "", renamed).count(" ") == message.count(" ")
        if message != renamed and not UID.search(message):
            without_numbers = re.sub(r"\d{8}", "", re.sub("-r1", "", renamed))
            assert without_numbers == re.sub(r"\d{8}", "", message)
    assert {len(found) for found in names.values()} == {1}


@pytest.mark.parametrize("options", [(), ("--overlap", 4, "--gap", "10s")])
def test_a_grown_capture_is_readable_in_order_and_its_versions_are_one_sequence(tmp_path, options):
    """Times and resourceVersions of all repetitions grow together, also where they overlap."""
    grown, _ = run("grow-capture", "deployment", "--events", 500, *options)
    path = tmp_path / "grown.ndjson"
    path.write_bytes(b"\n".join(grown) + b"\n")
    with read(str(path)) as capture:
        entries = list(capture)
    assert len(entries) == len(grown) - 1
    times = [json.loads(line)["received"] for line in grown[1:]]
    assert sum(before > after for before, after in pairwise(times)) < len(times) / 20
    versions = defaultdict(set)
    by_version = {}
    for entry in entries:
        thing = entry.what.object
        versions[thing.resource_version].add(thing.uid)
        by_version.setdefault(thing.resource_version, entry.received_ns)
    assert all(len(uids) == 1 for uids in versions.values())
    stamps = [stamp for _, stamp in sorted(by_version.items())]
    behind = [max(stamps[: index + 1]) - stamp for index, stamp in enumerate(stamps)]
    # What was there when the recording began was received long after it was written.
    assert sorted(behind)[len(behind) * 9 // 10] < 1_000_000_000


def test_clocks_in_the_names_of_events_move_with_their_times():
    """`core.timing` believes them only if they agree."""
    grown, lines = run("grow-capture", "deployment", "--events", 120)
    agreeing = 0
    for line in grown[len(lines) :]:
        thing = json.loads(line)["object"]
        if thing["kind"] == "Event" and thing["firstTimestamp"]:
            assert name_clock(thing["metadata"]["name"]) // 10**9 == nanoseconds(thing["firstTimestamp"]) // 10**9
            agreeing += 1
    assert agreeing > 20


def test_the_jobs_of_a_cron_job_are_named_after_their_minute():
    """The schedule in the name and in the annotation agree in every repetition."""
    grown, _ = run("grow-capture", "cronjob", "--events", 60)
    jobs = [json.loads(line)["object"]["metadata"] for line in grown[1:] if kind_of(line) == "Job"]
    assert len({job["name"] for job in jobs}) > 3
    for job in jobs:
        minute = int(job["name"].rpartition("-")[2])
        assert nanoseconds(job["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"]) == minute * 60 * 10**9


def test_the_ground_truth_grows_with_the_capture(tmp_path):
    """Its roots are in the capture."""
    out = tmp_path / "truth"
    truth = CAPTURES / "deployment.truth.ndjson"
    grown, _ = run("grow-capture", "deployment", "--events", 150, "--truth", truth, "--truth-out", out)
    changes = [json.loads(line) for line in out.read_text().splitlines()]
    roots = {(change["root"]["namespace"], change["root"]["name"], change["root"]["uid"]) for change in changes}
    things = (json.loads(line)["object"]["metadata"] for line in grown[1:] if kind_of(line) == "Deployment")
    assert roots == {(thing["namespace"], thing["name"], thing["uid"]) for thing in things}


def test_interleaving_keeps_every_line_and_the_order_of_each_watch():
    """Only neighbours of different kinds change places, and not far."""
    mixed, lines = run("interleave-capture", "deployment", "--seed", 7)
    assert mixed[0] == lines[0]
    assert mixed != lines
    assert Counter(mixed) == Counter(lines)
    assert max(abs(mixed.index(line) - index) for index, line in enumerate(lines)) <= 12
    for kind in ("Event", "Pod", "ReplicaSet", "Deployment", "Node"):
        assert [line for line in mixed[1:] if kind_of(line) == kind] == [
            line for line in lines[1:] if kind_of(line) == kind
        ]


def test_a_seed_says_which_order():
    """The same one again, another one with another."""
    first, _ = run("interleave-capture", "job", "--seed", 1)
    again, _ = run("interleave-capture", "job", "--seed", 1)
    other, _ = run("interleave-capture", "job", "--seed", 2)
    unmoved, lines = run("interleave-capture", "job", "--seed", 1, "--within", 0)
    assert first == again != other
    assert unmoved == lines


def test_lines_can_come_twice():
    """As after a relist."""
    mixed, lines = run("interleave-capture", "job", "--seed", 1, "--twice")
    assert Counter(mixed[1:]) == Counter(lines[1:] * 2)
    assert mixed[0] == lines[0]


def test_with_new_stamps_the_new_order_is_the_order_of_receipt():
    """The stamps stand where they stood."""
    mixed, lines = run("interleave-capture", "deployment", "--seed", 3, "--restamp")
    assert [json.loads(line)["received"] for line in mixed[1:]] == [json.loads(line)["received"] for line in lines[1:]]
    assert mixed != lines
    objects = (Counter(json.dumps(json.loads(line)["object"]) for line in each[1:]) for each in (mixed, lines))
    assert next(objects) == next(objects)


def test_without_them_a_reader_puts_the_order_right(tmp_path):
    """What was received is the same, so the replay is."""
    mixed, _ = run("interleave-capture", "deployment", "--seed", 3)
    path = tmp_path / "mixed.ndjson"
    path.write_bytes(b"\n".join(mixed) + b"\n")
    with read(str(path)) as left, read(str(CAPTURES / "deployment.ndjson.gz")) as right:
        assert [entry.received_ns for entry in left] == [entry.received_ns for entry in right]
