"""Finds what is known about an Event: the rules, compiled once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

import msgspec

from kspanpy.core.rules.emitters import RULES
from kspanpy.core.rules.events import EventRule

COMBINED = "(combined from similar events): "  # client-go tools/record/events_cache.go

MAX_MENTIONS = 64

# Kinds as messages write them.
_KINDS = {
    "configmap": "ConfigMap",
    "node": "Node",
    "nodeclaim": "NodeClaim",
    "persistentvolumeclaim": "PersistentVolumeClaim",
    "secret": "Secret",
}


class Mention(msgspec.Struct, frozen=True, gc=False):
    """An object that a message names. Empty: the message does not say.

    Without a namespace it is in that of the involved object, or in none.
    """

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class CompiledRule:
    """A rule with its patterns compiled and its lists split, once."""

    __slots__ = ("any_step", "causal", "components", "ends", "message", "name", "rule", "tells")

    def __init__(self, rule: EventRule) -> None:
        self.rule = rule
        self.components = frozenset(rule.component.split())
        self.message = re.compile(rule.message) if rule.message else None
        self.name = re.compile(rule.name) if rule.name else None
        self.any_step = rule.until == "*"
        self.ends = frozenset(rule.until.split())
        self.tells = bool(rule.milestone or rule.problem)  # something that verdicts are made of
        self.causal = bool(rule.severity == "serious" or rule.related or rule.cause or rule.effect)

    def named(self, message: str) -> str:
        """The name of the object of the rule's kind whose fate the message tells, or nothing."""
        match = self.name.search(message.removeprefix(COMBINED)) if self.name is not None and self.rule.fate else None
        return match["name"] if match else ""

    def mentions(self, message: str) -> tuple[Mention, ...]:
        """All objects that the message names, each once, in its order; a long list is cut."""
        if self.name is None:
            return ()
        found: dict[Mention, None] = {}
        for match in islice(self.name.finditer(message.removeprefix(COMBINED)), MAX_MENTIONS):
            parts = match.groupdict("")
            kind = parts.get("kind", "")
            mention = Mention(
                kind=_KINDS.get(kind, kind) or self.rule.names,
                namespace=parts.get("namespace", ""),
                name=parts.get("name", ""),
                uid=parts.get("uid", ""),
            )
            if "names" in parts:
                for name in parts["names"].split(","):
                    first = name.split(maxsplit=1)[:1]  # "b and 2 pod(s) in different namespaces"
                    if first:
                        found[msgspec.structs.replace(mention, name=first[0])] = None
            elif mention.name or mention.uid:
                found[mention] = None
        return tuple(islice(found, MAX_MENTIONS))


class RuleTable:
    """Finds the rule of an Event: by its kind and reason, then by who wrote it and what it says, the most special first."""

    def __init__(self, rules: Iterable[EventRule] = RULES) -> None:
        by_key: dict[tuple[str, str], list[CompiledRule]] = {}
        for rule in rules:
            compiled = CompiledRule(rule)
            for kind in rule.kinds.split() or [""]:
                for reason in rule.reason.split() or [""]:
                    by_key.setdefault((kind, reason), []).append(compiled)
        self._by_key = {
            (kind, reason): tuple(sorted(found + (by_key.get((kind, ""), []) if reason else []), key=_generality))
            for (kind, reason), found in by_key.items()
        }
        self._none = CompiledRule(EventRule())

    def find(self, kind: str, reason: str, message: str, component: str = "") -> CompiledRule:
        """The rule for this Event; an empty one where nothing is known. Every Event comes through here."""
        get = self._by_key.get
        for rule in get((kind, reason)) or get(("", reason)) or get((kind, "")) or ():
            if rule.components and component not in rule.components:
                continue
            pattern = rule.message
            if pattern is None or pattern.search(message.removeprefix(COMBINED)):
                return rule
        return self._none


def _generality(rule: CompiledRule) -> int:
    return -2 * bool(rule.components) - (rule.message is not None)
