"""Finds what is known about an Event: the rules, compiled once."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kspanpy.core.rules.events import RULES, EventRule


class CompiledRule:
    """A rule with its patterns compiled and its lists split, once."""

    __slots__ = ("any_step", "ends", "message", "name", "rule")

    def __init__(self, rule: EventRule) -> None:
        self.rule = rule
        self.message = re.compile(rule.message) if rule.message else None
        self.name = re.compile(rule.name) if rule.name else None
        self.any_step = rule.until == "*"
        self.ends = frozenset(rule.until.split())

    def named(self, message: str) -> str:
        """The name that the message holds, or nothing."""
        match = self.name.search(message) if self.name else None
        return match["name"] if match else ""


class RuleTable:
    """Finds the rule of an Event by its involved kind and reason; one that needs a message is tried first."""

    def __init__(self, rules: Iterable[EventRule] = RULES) -> None:
        self._by_key: dict[tuple[str, str], list[CompiledRule]] = {}
        for rule in rules:
            for kind in rule.kinds.split() or [""]:
                known = self._by_key.setdefault((kind, rule.reason), [])
                known.insert(0 if rule.message else len(known), CompiledRule(rule))
        self._none = CompiledRule(EventRule())

    def find(self, kind: str, reason: str, message: str) -> CompiledRule:
        """The rule for this Event; an empty one where nothing is known."""
        rules = self._by_key.get((kind, reason)) or self._by_key.get(("", reason))
        for rule in rules or ():
            if rule.message is None or rule.message.search(message):
                return rule
        return self._none
