"""How the cluster is watched: the limits that a user may change, with the reasons for the defaults."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """Seconds and counts. Namespaces: all, or those of `include`, in both cases without those of `exclude`."""

    include: tuple[str, ...] = ()
    """One watch for each kind and namespace; works without a ClusterRole, but Nodes are then out of sight."""

    exclude: tuple[str, ...] = ()
    """Dropped after decoding. Events about objects without a namespace are kept."""

    page_size: int = 500
    """Objects in a page of a list: about 4 MB of Pods."""

    watch_timeout_s: tuple[int, int] = (300, 600)
    """timeoutSeconds is drawn from here, so that the watches of many clients do not end together."""

    connect_timeout_s: float = 5.0

    list_timeout_s: float = 60.0
    """Without a byte of a list for so long, it has failed."""

    unmarked_timeout_s: tuple[int, int] = (45, 60)
    """The same for Events. They have no bookmarks, so in a quiet cluster only the end of a watch shows that it was alive."""

    silence_s: float = 75.0
    """Bookmarks come about once a minute; without a byte for so long, a watch is taken for dead and resumed."""

    gather_s: float = 0.1
    """After a wait for something new, what follows is gathered for so long and read together: waking up costs more than reading."""

    short_watch_s: float = 1.0
    """A watch that ends sooner without having shown anything counts as a failure, and backs off."""

    caught_up_s: float = 1.0
    """After a restart, a resumed watch that shows nothing for so long has shown what happened in between."""

    catch_up_longest_s: float = 5.0
    """Where it never gets quiet, the first watches after a restart are taken for caught up after so long."""

    degrade_after_s: float = 60.0
    """A kind that could be read until now is only given up after so long: an API server that starts refuses what it will allow."""

    degraded_retry_s: float = 300.0
    """How often a kind is tried again that may not be read or is not served."""

    relist_after_s: float = 300.0
    """A watch that has failed for so long begins again with a list: etcd forgets old versions after five minutes."""

    owners_first_s: float = 30.0
    """Events wait at most so long at the start for the first lists of the objects they are about."""

    known_capacity: int = 50_000
    """Objects remembered for each watch, to tell after a gap which have gone. The oldest are forgotten, and counted."""

    sort_capacity: int = 20_000
    """Listed Events held back at once to deliver them in order of time ..."""

    sort_bytes: int = 32 * 1024 * 1024
    """... and bytes of their JSON: enough for 20,000 ordinary ones, not for as many with messages as long as they may be."""

    keeps_json: bool = False
    """Whether listed Events come with their JSON, which a capture file needs; everything else always does."""
