"""What an event span says of its object and of the owners of that: the same, however much of it was put together before."""

from __future__ import annotations

from tests.core.cluster import Cluster


def named(cluster: Cluster, name: str, about: str) -> dict[str, object]:
    """What a span calls the objects of its chain."""
    kinds = ("object", "pod", "replicaset", "deployment")
    attributes = cluster.span(name, about).attributes
    return {kind: (attributes[f"k8s.{kind}.name"], attributes[f"k8s.{kind}.uid"]) for kind in kinds}


def test_of_each_of_several_objects_with_one_owner_its_own():
    """Owners in common, and nothing else."""
    cluster = Cluster()
    web = cluster.deployment(replicas=2)
    rs = cluster.replicaset(web, replicas=2)
    pods = [cluster.pod(rs), cluster.pod(rs)]
    first, second = (cluster.event(pod, "Pulled", f"for {pod.name}", host=f"node-of-{pod.name}") for pod in pods)
    cluster.finish()
    above = {"replicaset": (rs.name, rs.uid), "deployment": (web.name, web.uid)}
    for pod, event in zip(pods, (first, second), strict=True):
        own = pod.name, pod.uid
        assert named(cluster, "Pod.Pulled", pod.name) == above | {"object": own, "pod": own}
        attributes = cluster.span("Pod.Pulled", pod.name).attributes
        assert attributes["k8s.event.uid"] == event.uid
        assert attributes["k8s.event.message"] == event.message
        assert attributes["k8s.node.name"] == event.host


def test_an_owner_of_which_a_newer_version_has_another_name_is_called_by_that():
    """The API server allows no such thing; a liar, or a broken recording, might."""
    cluster = Cluster()
    web = cluster.deployment()
    rs = cluster.replicaset(web)
    pod = cluster.pod(rs)
    cluster.event(pod, "Created")
    cluster.wait(10)
    cluster.change(web, name="shop")
    cluster.event(pod, "Pulled")
    cluster.finish()
    assert named(cluster, "Pod.Created", pod.name)["deployment"] == ("web", web.uid)
    assert named(cluster, "Pod.Pulled", pod.name)["deployment"] == ("shop", web.uid)
