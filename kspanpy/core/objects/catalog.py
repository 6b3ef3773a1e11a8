"""Every object that was seen, by uid and by name, with its owners: also the dead, for as long as an Event lives.

Owners lead, but they are tenants' text: an ownerReference may lie, be a cycle or a chain without end, and point to what was
never seen. Everything is bounded; the dead leave first, in the order of their death.

A uid says which object is meant only together with the namespace: the API server vouches for the namespace of an object and of an
Event, and for nothing that is written in them. So a reference finds what is in its own namespace, whatever uid it has.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

from kspanpy.core.crowd import Crowd
from kspanpy.core.model import SECOND, AttributeValue, Object, ObjectReference, OwnerReference
from kspanpy.core.objects import health
from kspanpy.core.rules.kinds import OTHER_CHANGING_KIND, OTHER_KIND, KindRule, kind_rule
from kspanpy.core.settings import Limit, LinkerSettings
from kspanpy.core.timing import instant

if TYPE_CHECKING:
    from kspanpy.core.stories.shape import Chapter, Lifecycle, Story

# An ownerReference to one of these does not say "because of": a mirror Pod belongs to its Node by name only.
_NOT_CAUSAL = frozenset({"Node"})

# What was seen is known by its uid, which the server made; what is only spoken of, by the (namespace, uid) that was said.
Key: TypeAlias = str | tuple[str, str]

_USED_NS = 60 * SECOND  # so exactly is known when something was used last
_FRESH_NS = 30 * SECOND  # where no list says what is new: an object seen so soon after its creation


class Record:
    """What is remembered of one object: its newest version and the moments that decide its place.

    `..._ns` are instants fit for comparing (see `timing.instant`), not for showing; `..._rv` are store order.
    """

    __slots__ = (
        "above",
        "born_ns",
        "chapters",
        "confidence",
        "dying_nominal_ns",
        "dying_ns",
        "dying_rv",
        "episodes",
        "first_rv",
        "fresh",
        "gone_ns",
        "key",
        "line",
        "name_key",
        "object",
        "owner",
        "phases",
        "ready_ns",
        "real",
        "rule",
        "steps",
    )

    def __init__(self, obj: Object, *, received_ns: int, real: bool) -> None:
        self.object = obj
        self.key: Key = obj.uid  # in the catalog
        self.real = real  # False: nobody saw it, only references to it
        self.name_key = (obj.kind, obj.namespace, obj.name)  # as it is indexed: a liar may change its name
        self.rule: KindRule = kind_rule(obj.kind)
        if real and self.rule == OTHER_KIND and obj.generation:
            self.rule = OTHER_CHANGING_KIND
        self.owner = causal_owner(obj)
        self.above: Line | None = None  # the line of its owner, when that was asked for last
        self.line: Line | None = None  # its own, or one that it is in, if it owns something
        self.confidence = ""  # how far a guessed owner can be trusted; empty: an ownerReference names it
        self.born_ns = instant(obj.created_ns, received_ns)
        self.first_rv = obj.resource_version
        self.fresh = _looks_new(obj, received_ns)
        self.ready_ns: int | None = None
        self.dying_rv: int | None = None
        self.dying_ns: int | None = None
        self.dying_nominal_ns: int | None = None  # the same by the cluster's clock, for showing
        self.gone_ns: int | None = None
        self.chapters: list[Chapter] = []
        self.episodes: list[Story] = []  # that are remembered, in order of time
        self.phases: dict[str, Lifecycle] = {}  # where the phases of a Pod have been placed, once and for all
        self.steps: list[tuple[int, str, str]] = []
        self.note_status(obj, received_ns)
        if obj.kind == "Pod" and self.ready_ns is None and not self.fresh:
            self.ready_ns = health.was_ready_until(obj)  # at some time before

    def note_status(self, obj: Object, received_ns: int) -> None:
        """Takes the moments that this version shows first."""
        done = obj.phase == "Succeeded" and obj.deletion_ns is None  # a Pod that is stopped ends so, too
        if self.ready_ns is None and obj.kind == "Pod" and (done or health.ready(obj)):
            condition = obj.condition("Ready")
            self.ready_ns = instant(condition.changed_ns if condition else None, received_ns)
        if self.dying_ns is None and obj.deletion_ns is not None:
            self.die(obj.deletion_began_ns, obj.resource_version, received_ns)

    def die(self, at_ns: int | None, rv: int | None, received_ns: int) -> None:
        """Its deletion has begun."""
        if self.dying_ns is None:
            self.dying_ns, self.dying_rv = instant(at_ns, received_ns), rv
            self.dying_nominal_ns = self.dying_ns if at_ns is None else at_ns

    @property
    def episode(self) -> Story | None:
        """What has befallen it last."""
        return self.episodes[-1] if self.episodes else None

    @property
    def born_rv(self) -> int | None:
        """Store order of its creation; None: it was there before anybody looked."""
        return self.first_rv if self.fresh else None

    @property
    def uid(self) -> str:
        """Its uid, or a stand-in for it."""
        return self.object.uid

    @property
    def kind(self) -> str:
        """Its kind."""
        return self.object.kind


class Line:
    """An owner and its owners up to the root object, found once and shared by all that it owns."""

    __slots__ = ("decisive", "epoch", "frame", "records")

    def __init__(self, records: list[Record], epoch: int) -> None:
        self.records = records
        self.decisive: list[Record] | None = None  # whose changes open chapters (`stories.chapters`), once asked for
        self.frame: dict[str, AttributeValue] | None = None  # the attributes of a span about what they own, once made
        self.epoch = epoch  # it holds as long as this is that of the catalog


def _looks_new(obj: Object, received_ns: int) -> bool:
    """True for a version that may well be the first one, judged by itself: no controller has written into it yet."""
    if obj.deletion_ns is not None or (health.known(obj.kind) and health.settled(obj)):
        return False
    if obj.generation > 1 or obj.observed_generation or obj.node_name:
        return False
    return obj.created_ns is None or received_ns - obj.created_ns < _FRESH_NS


def causal_owner(obj: Object) -> OwnerReference | None:
    """The owner that an object exists because of: the controller, else the first."""
    if not obj.owners:
        return None
    owner = next((o for o in obj.owners if o.controller), obj.owners[0])
    return None if owner.kind in _NOT_CAUSAL or not owner.uid else owner


def group_of(api_version: str) -> str:
    """apps/v1 -> apps, v1 -> ''."""
    return api_version.rpartition("/")[0]


def name_uid(api_version: str, kind: str, namespace: str, name: str) -> str:
    """What stands in for a uid that is not known, or not to be believed."""
    return f"{group_of(api_version)}/{kind}/{namespace}/{name}"


class Catalog:
    """The objects, alive and dead."""

    def __init__(self, settings: LinkerSettings) -> None:
        self._settings = settings
        self._memory_ns = int(settings.memory_s * SECOND)
        self._epoch = 0  # goes on whenever a line of owners may have changed
        self._records: dict[Key, Record] = {}  # at most max_objects and max_tombstones, see `_shrink`
        self._names: dict[tuple[str, str, str], list[Key]] = {}  # of the same
        self._dead: OrderedDict[Key, int] = OrderedDict()  # when it was seen to be gone; at most max_tombstones
        self._crowd: Crowd[Key] = Crowd(settings.max_tombstones, part=8)  # of the dead
        self._everybody: Crowd[Key] = Crowd(settings.max_objects, part=1)
        self.reached: Counter[Limit] = Counter()
        # These three grow with the kinds that are watched.
        self.synced: set[str] = set()  # kinds whose list is complete: what is added now has just been created
        self.missing: set[str] = set()  # kinds that nobody can show
        self.watermarks: dict[str, int] = {}  # kind -> newest resourceVersion its watch has shown

    def __len__(self) -> int:
        return len(self._records)

    @property
    def tombstones(self) -> int:
        """How many dead objects are remembered."""
        return len(self._dead)

    def line_above(self, record: Record) -> Line | None:
        """Its owners, if they have been found before and have not changed since."""
        above = record.above
        return above if above is not None and above.epoch == self._epoch else None

    @property
    def mortal(self) -> bool:
        """True if something is forgotten one day unless it is `used`."""
        return bool(self._dead)

    def adopt(self, record: Record, owner: OwnerReference | None) -> None:
        """Another object owns it from now on, or none."""
        record.owner, record.above = owner, None
        if record.line is not None:
            self._epoch += 1

    def renew(self, record: Record, obj: Object) -> None:
        """A newer version of an object has been seen."""
        before = record.object
        if record.line is not None and (obj.kind != before.kind or obj.name != before.name):
            self._epoch += 1  # it is not what those that it owns take it for
        record.object = obj

    def records(self) -> Iterable[Record]:
        """All of them."""
        return self._records.values()

    def get(self, uid: str, namespace: str) -> Record | None:
        """The object with this uid in this namespace (empty: in none), dead or alive, seen or only referred to."""
        record = self._records.get(uid)
        if record is not None and record.object.namespace == namespace:
            return record
        return self._records.get((namespace, uid))

    def seen(self, uid: str) -> Record | None:
        """The object with this uid, if it was seen, in whichever namespace."""
        return self._records.get(uid)

    def owner(self, record: Record) -> Record | None:
        """What owns it, if that is known and may: it is what it is called, in the same namespace or in none."""
        if record.owner is None:
            return None
        uid, namespace = record.owner.uid, record.object.namespace
        owner = self.get(uid, namespace) or (self.get(uid, "") if namespace else None)
        return owner if owner is not None and owner.kind == record.owner.kind else None

    def add(self, obj: Object, received_ns: int, *, real: bool = True) -> Record:
        """A record for an object that has none."""
        record = Record(obj, received_ns=received_ns, real=real)
        self._enter(record)
        if obj.kind in self.synced and real:
            record.fresh = True
        if not real:
            self._lay_out(record, received_ns)  # nothing will tell us of its end
        self._shrink()
        return record

    def reveal(self, record: Record, obj: Object, received_ns: int) -> None:
        """What was only referred to has been seen."""
        self._take_up(record)
        self._records.pop(record.key, None)
        self._unname(record)
        self._everybody.remove(record.name_key[1])
        chapters, episodes, phases = record.chapters, record.episodes, record.phases
        record.__init__(obj, received_ns=received_ns, real=True)  # type: ignore[misc]  # the same record, filled in
        record.chapters, record.episodes, record.phases = chapters, episodes, phases
        self._enter(record)

    def bury(self, record: Record, received_ns: int) -> None:
        """The object is gone; its record stays for a while."""
        record.gone_ns = received_ns
        self._take_up(record)
        self._lay_out(record, received_ns)
        self._shrink()

    def will_not_end(self, record: Record, now_ns: int) -> None:
        """It was looked up, and nothing will tell of its end: it is forgotten when it has not been used for as long as the dead."""
        if record.key not in self._dead:
            self._lay_out(record, now_ns)
            self._shrink()

    def used(self, chain: list[Record], now_ns: int) -> None:
        """Something happens to these: as long as it does, those whose end nobody tells of are not forgotten."""
        for record in chain:
            if record.gone_ns is None and record.key in self._dead and now_ns - self._dead[record.key] > _USED_NS:
                self._dead[record.key] = now_ns
                self._dead.move_to_end(record.key)

    def forget(self, now_ns: int) -> None:
        """Lets go of those that have been dead for longer than an Event lives."""
        horizon = now_ns - self._memory_ns
        while self._dead:
            key, died_ns = next(iter(self._dead.items()))
            if died_ns > horizon:
                return
            self._remove(key)

    def advance(self, kind: str, resource_version: int | None) -> bool:
        """Notes how far a kind's watch has come; True if that is news."""
        if resource_version is None or resource_version <= self.watermarks.get(kind, 0):
            return False
        self.watermarks[kind] = resource_version
        return True

    def chain(self, record: Record) -> tuple[list[Record], OwnerReference | None]:
        """The object and its owners up to the root object; and the first owner that nobody has shown, if there is one."""
        if record.owner is None:
            return [record], None
        above = self.line_above(record)
        if above is not None:
            return [record, *above.records], None
        chain, top = [record], record
        while top.owner is not None and len(chain) < self._settings.max_depth:
            owner = self.owner(top)
            if owner is None and not self._is_lie(top.owner, top.object.namespace):
                return chain, top.owner
            if owner is None or owner in chain:
                return chain, None  # tenants may write anything into ownerReferences
            chain.append(owner)
            top = owner
        if top.owner is None and len(chain) > 1 and all(owner.key == owner.object.uid for owner in chain[1:]):
            record.above = self._line(chain[1:])
        return chain, None

    def _line(self, owners: list[Record]) -> Line:
        """Remembers owners that were all seen themselves: until one of them changes, nothing that is added changes this."""
        line = owners[0].line
        if line is None or line.epoch != self._epoch or line.records[0] is not owners[0]:
            line = owners[0].line = Line(owners, self._epoch)
            for owner in owners[1:]:
                owner.line = owner.line or line  # somebody's, so that it is known for an owner
        return line

    def named(self, kind: str, namespace: str, name: str, *, group: str | None = None) -> list[Record]:
        """Every object of that name, oldest first; `group` None: of any API group."""
        found = [self._records[key] for key in self._names.get((kind, namespace, name), ())]
        if group is None or len(found) < 2:
            return found
        return [r for r in found if group_of(r.object.api_version) == group] or found

    def stand_in(self, reference: ObjectReference, received_ns: int) -> Record:
        """A record for an object that only references speak of. Its uid is the reference's if no other has that, else made of its name."""
        uid = reference.uid
        known = self.get(uid, reference.namespace) if uid else None
        if known is None and (not uid or uid in self._records):
            uid = name_uid(reference.api_version, reference.kind, reference.namespace, reference.name)
            known = self.get(uid, reference.namespace)
        if known is not None:
            return known
        return self.add(
            Object(
                api_version=reference.api_version,
                kind=reference.kind or "Unknown",
                namespace=reference.namespace,
                name=reference.name,
                uid=uid,
            ),
            received_ns,
            real=False,
        )

    def _lay_out(self, record: Record, received_ns: int) -> None:
        if self._records.get(record.key) is not record:
            return  # it had to go as soon as it came
        namespace = record.name_key[1]
        self._dead[record.key] = received_ns
        self._crowd.add(record.key, namespace, self._dead.__contains__)

    def _take_up(self, record: Record) -> None:
        if self._dead.pop(record.key, None) is not None:
            self._crowd.remove(record.name_key[1])

    def _shrink(self) -> None:
        while (key := self._crowd.excess(self._dead.__contains__)) is not None:
            self.reached[Limit.TOMBSTONES] += 1
            self._remove(key)
        while (key := self._everybody.excess(self._records.__contains__)) is not None:
            dead = self._crowd.oldest(self._records[key].name_key[1], self._dead.__contains__)
            self.reached[Limit.OBJECTS if dead is None else Limit.TOMBSTONES] += 1
            self._remove(key if dead is None else dead)

    def _enter(self, record: Record) -> None:
        obj = record.object
        if not record.real or obj.uid in self._records:
            record.key = obj.namespace, obj.uid
            self._epoch += obj.uid in self._records  # in this namespace it comes before that one
        self._remove(record.key)
        self._records[record.key] = record
        self._names.setdefault(record.name_key, []).append(record.key)
        self._everybody.add(record.key, obj.namespace, self._records.__contains__)

    def _is_lie(self, owner: OwnerReference, namespace: str) -> bool:
        """True for the uid of something that was seen and is something else."""
        return self.get(owner.uid, namespace) is not None or owner.uid in self._records

    def _remove(self, key: Key) -> None:
        record = self._records.get(key)
        if record is not None:
            self._take_up(record)
            del self._records[key]
            self._everybody.remove(record.name_key[1])
            self._unname(record)
            self._epoch += record.line is not None

    def _unname(self, record: Record) -> None:
        name = record.name_key
        keys = self._names.get(name, [])
        if record.key in keys:
            keys.remove(record.key)
        if not keys:
            self._names.pop(name, None)
