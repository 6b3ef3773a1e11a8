"""Every line of `kspanpy.core.rules.emitters` has an example: a message as its emitter writes it, and what is read from it.

docs/causality.md sends those who add a rule here; the examples are in `rule_examples.py`.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Iterable
from typing import Any, get_args

import pytest

from kspanpy.core.rules import emitters
from kspanpy.core.rules.emitters import RULES
from kspanpy.core.rules.events import Cause, EventRule
from kspanpy.core.rules.kinds import KINDS
from kspanpy.core.rules.problems import OBSTACLES, REFUSALS
from kspanpy.core.rules.table import MAX_MENTIONS, CompiledRule, Mention, RuleTable
from tests.contract.rule_examples import EXAMPLES, OTHERS, SILENT, Example

TABLE = RuleTable()
FAMILIES = {
    name: importlib.import_module(f"{emitters.__name__}.{name}").RULES
    for _, name, _ in pkgutil.iter_modules(emitters.__path__)
}
LINES = [
    pytest.param(family, rule, id=f"{rule.kinds}/{rule.reason[:30]}")
    for family in FAMILIES
    for rule in FAMILIES[family]
]
ROWS = [pytest.param(row, id=f"{row.kind}/{row.reason}") for rows in EXAMPLES.values() for row in rows]
PATTERNS = sorted(
    {p for rule in RULES for p in (rule.message, rule.name) if p} | {p for p, _ in REFUSALS} | {p for _, p in OBSTACLES}
)


def find(row: Example) -> CompiledRule:
    """Its rule."""
    return TABLE.find(row.kind, row.reason, row.message, row.component)


def shown(mention: Mention) -> str:
    """As in the column of the examples."""
    name = f"{mention.namespace}/{mention.name}" if mention.namespace else mention.name
    return " ".join(part for part in (mention.kind, name, mention.uid and f"({mention.uid})") if part)


def test_examples_are_grouped_as_the_emitters_are() -> None:
    """One group a file, and every file is in the table."""
    assert EXAMPLES.keys() == FAMILIES.keys()
    assert sorted(RULES, key=repr) == sorted((rule for rules in FAMILIES.values() for rule in rules), key=repr)


@pytest.mark.parametrize(("family", "rule"), LINES)
def test_every_rule_has_an_example(family: str, rule: EventRule) -> None:
    """A row that this rule is found for: a pattern that nothing matches is a rule that does nothing."""
    assert any(find(row).rule is rule for row in EXAMPLES[family]), (
        "add a message as the emitter writes it to tests/contract/rule_examples.py"
    )


@pytest.mark.parametrize("row", ROWS)
def test_what_is_read_from_a_message(row: Example) -> None:
    """Whom it mentions and which problem it is; the rule that is found is one of that kind, not of any."""
    found = find(row)
    assert row.kind in (found.rule.kinds or row.kind).split()
    assert tuple(map(shown, found.mentions(row.message))) == row.mentions
    assert found.rule.problem == row.problem


@pytest.mark.parametrize("row", ROWS)
def test_a_message_that_was_combined_says_the_same(row: Example) -> None:
    """The recorder puts words before the tenth of similar messages."""
    combined = row._replace(message=f"(combined from similar events): {row.message}")
    found = find(combined)
    assert found.rule is find(row).rule
    assert found.mentions(combined.message) == found.mentions(row.message)
    assert found.named(combined.message) == found.named(row.message)


@pytest.mark.parametrize("row", OTHERS, ids=lambda row: f"{row.kind}/{row.reason}")
def test_another_message_of_the_same_reason_means_nothing(row: Example) -> None:
    """A deletion that is called off, a health check that passed, the same words of somebody else."""
    assert find(row).rule == EventRule()


@pytest.mark.parametrize("row", SILENT, ids=lambda row: f"{row.kind}/{row.reason}")
def test_most_events_need_no_rule(row: Example) -> None:
    """A node that comes back, cert-manager, Knative: kind, reason and owners say all there is to say."""
    assert find(row).rule == EventRule()


@pytest.mark.parametrize(("family", "rule"), LINES)
def test_what_a_rule_says_holds_together(family: str, rule: EventRule) -> None:
    """Who is named has a kind and a fate or a relation; whose fate is told is watched, and is placed by name."""
    groups = re.compile(rule.name).groupindex
    assert bool(rule.name or rule.via) is bool(rule.fate or rule.cause or rule.effect)
    assert not (rule.name and rule.via)
    assert bool(rule.name) is bool(rule.names or "kind" in groups)
    assert not (rule.cause and rule.effect)
    assert rule.related in get_args(Cause)
    assert set(groups) <= {"kind", "namespace", "name", "names", "uid"}
    if rule.fate:
        assert rule.names in KINDS
        assert "name" in groups
    assert rule.until or not rule.lasting
    assert rule != EventRule(rule.kinds, rule.reason, component=rule.component, message=rule.message)


@pytest.mark.parametrize(("family", "rule"), LINES)
def test_what_ends_a_step_is_written_about_the_same_object(family: str, rule: EventRule) -> None:
    """A step that would end itself at once, or never, is no pair: its own reason only ends it where it is tried again."""
    ends = set(rule.until.split())
    retried = {"FailedScheduling", "FailedAttachVolume"}
    assert not ends & set(rule.reason.split()) - retried


def test_a_list_of_any_length_gives_so_many_mentions_and_no_more() -> None:
    """An apply log may name hundreds, and so may a forged one."""
    log = " ".join(f"Deployment/shop/web-{n} configured" for n in range(500))
    names = "waiting for pods " + ",".join(f"db-{n}" for n in range(500)) + " to be scheduled"
    assert len(TABLE.find("Kustomization", "Progressing", log).mentions(log)) == MAX_MENTIONS
    assert len(TABLE.find("PersistentVolumeClaim", "WaitForPodScheduled", names).mentions(names)) == MAX_MENTIONS


# -- whoever may write Events may write this

LENGTHS = (1024, 8192)


def fragments() -> list[str]:
    """What a backtracking matcher could choke on: single characters, and the beginnings of messages that almost match."""
    literals = {word for pattern in PATTERNS for word in re.findall(r"[A-Za-z'\" /:,.-]{3,}", pattern)}
    return [*"aA0 /\"',.:-(", "a/", "A/a/", "a, ", "A/a a ", 'a"', *sorted(literals)]


def hostile(pattern: str, length: int) -> list[str]:
    """Messages of one length, made for this pattern."""
    heads = [row.message[:40] for rows in EXAMPLES.values() for row in rows if re.search(pattern, row.message)][:2]
    return [((head + " ") if head else "") + fragment * length for head in ["", *heads] for fragment in fragments()]


def took(pattern: re.Pattern[str], message: str, *, best_of: int) -> float:
    """How long it takes to find all that it matches."""

    def once() -> float:
        began = time.perf_counter()
        for _ in pattern.finditer(message):
            pass
        return time.perf_counter() - began

    return min(once() for _ in range(best_of))


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern[:40])
def test_no_message_makes_a_pattern_slow(pattern: str) -> None:
    """Eight times the length takes about eight times as long, not sixty-four: every pattern is linear, whatever it is given."""
    compiled = re.compile(pattern)
    short, long = LENGTHS
    slowest = sorted(hostile(pattern, long), key=lambda message: took(compiled, message[:long], best_of=2))[-3:]
    for message in slowest:
        base = max(took(compiled, message[:short], best_of=9), 20e-6)
        assert took(compiled, message[:long], best_of=9) < 3 * base * long / short, message[:80]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern[:40])
def test_patterns_have_no_quantifier_within_a_quantifier(pattern: str) -> None:
    """What a matcher may divide in many ways it will: a group that repeats may not hold what repeats."""
    repeats = ("MAX_REPEAT", "MIN_REPEAT")

    def nested(tree: Iterable[tuple[object, Any]], *, inside: bool) -> bool:
        for op, argument in tree:
            below, repeated = [], inside
            if str(op) in repeats:
                repeated = inside or argument[1] > 1
                if inside and argument[1] > 1:
                    return True
                below = [argument[2]]
            elif str(op) == "SUBPATTERN":
                below = [argument[3]]
            elif str(op) == "BRANCH":
                below = argument[1]
            if any(nested(tree, inside=repeated) for tree in below):
                return True
        return False

    assert not nested(re._parser.parse(pattern), inside=False)


@pytest.mark.parametrize(
    "message", ["", " ", "\x00", "…" * 1024, "(combined from similar events): ", "Created pod: " * 100]
)
def test_no_message_makes_a_rule_raise(message: str) -> None:
    """Whatever it is given."""
    for rule in RULES:
        for kind in rule.kinds.split() or ["Widget"]:
            for reason in rule.reason.split() or ["Widget"]:
                found = TABLE.find(kind, reason, message, rule.component)
                assert isinstance(found.named(message), str)
                assert len(found.mentions(message)) <= MAX_MENTIONS
