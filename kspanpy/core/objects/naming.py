"""What the names of objects say about their owners: a convention of controllers, no promise. The last resort.

Suffixes are random letters that make no words (apimachinery util/rand/rand.go); a CronJob's Job ends with its schedule in minutes
(cronjob_controllerv2.go, getJobName); names made by the API server are cut at 58 characters (apiserver storage/names/generate.go).
"""

from __future__ import annotations

import re

_ALPHABET = "[bcdfghjklmnpqrstvwxz2456789]"
_RANDOM = re.compile(rf"(?P<owner>.+)-{_ALPHABET}{{5}}")
_CUT = re.compile(rf"(?P<owner>.{{58}}){_ALPHABET}{{5}}")
_HASHED = re.compile(rf"(?P<owner>.+)-{_ALPHABET}{{6,10}}")
_ORDINAL = re.compile(r"(?P<owner>.+)-\d{1,5}")
_MINUTES = re.compile(r"(?P<owner>.+)-\d{8,10}")

# kind -> what may own it, by its name: (pattern, kind of the owner, its apiVersion), the likeliest first
_CONVENTIONS: dict[str, tuple[tuple[re.Pattern[str], str, str], ...]] = {
    "Pod": (
        (_RANDOM, "ReplicaSet", "apps/v1"),
        (_RANDOM, "DaemonSet", "apps/v1"),
        (_RANDOM, "Job", "batch/v1"),
        (_RANDOM, "ReplicationController", "v1"),
        (_ORDINAL, "StatefulSet", "apps/v1"),
    ),
    "ReplicaSet": ((_HASHED, "Deployment", "apps/v1"),),
    "Job": ((_MINUTES, "CronJob", "batch/v1"),),
}

OWNED = frozenset(_CONVENTIONS)  # kinds that something usually owns


def owners(kind: str, name: str) -> list[tuple[str, str, str]]:
    """Who may own an object of this name: (kind, name, apiVersion), the likeliest first."""
    found = []
    for pattern, owner_kind, api_version in _CONVENTIONS.get(kind, ()):
        match = pattern.fullmatch(name) or (_CUT.fullmatch(name) if pattern is _RANDOM else None)
        if match is not None:
            found.append((owner_kind, match["owner"], api_version))
    return found


def agrees(owner: str, name: str) -> bool:
    """True if an object of that name may have been made by that owner: names begin with their owner's."""
    return name.startswith(f"{owner}-") or (len(name) == 63 and name.startswith(owner[:58]))
