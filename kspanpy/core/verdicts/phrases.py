"""The words of verdicts, as data: one phrase a class of problem, one a stage."""

from __future__ import annotations

import re

from kspanpy.core import sanitize
from kspanpy.core.rules.problems import Problem
from kspanpy.core.stories.shape import Lifecycle, Symptom
from kspanpy.core.verdicts import stages
from kspanpy.core.verdicts.blame import Cause

MAX_DETAIL = 160
_STATE = re.compile(r"Error: (?P<state>[A-Z]\w{2,40})$")
_IMAGE_STATES = {"Failed": "ErrImagePull", "BackOff": "ImagePullBackOff"}

# {name}: of the object; {container} ("container app", "a container"), {image}, {reason}: of the symptom; {detail}: its message, cut
PHRASES: dict[Problem, str] = {
    Problem.CRASH_LOOP: "{container} of {name} keeps exiting",
    Problem.OOM_KILLED: "{container} of {name} was killed for using too much memory (OOMKilled)",
    Problem.CONTAINER_ERROR: "{container} of {name} exited with an error",
    Problem.CREATE_CONTAINER_CONFIG_ERROR: "{container} of {name} can not be configured: {detail}",
    Problem.CREATE_CONTAINER_ERROR: "{container} of {name} can not be started: {detail}",
    Problem.IMAGE_PULL: "image pull fails ({reason}, {image})",
    Problem.PROBE_FAILURE: "a probe of {name} fails: {detail}",
    Problem.HOOK_FAILURE: "a lifecycle hook of {name} fails: {detail}",
    Problem.FAILED_SCHEDULING: "no node fits {name}: {detail}",
    Problem.HOST_PORT_CONFLICT: "the host port that {name} wants is taken: {detail}",
    Problem.POD_REJECTED: "the kubelet refused {name}: {detail}",
    Problem.FAILED_CREATE_POD_SANDBOX: "{name} gets no sandbox: {detail}",
    Problem.FAILED_PREPARE_RESOURCES: "the resources of {name} can not be prepared: {detail}",
    Problem.EVICTED: "{name} was evicted: {detail}",
    Problem.PREEMPTED: "{name} was preempted: {detail}",
    Problem.RESIZE_FAILED: "{name} can not be resized: {detail}",
    Problem.FAILED_KILL: "{name} can not be stopped: {detail}",
    Problem.QUOTA_EXCEEDED: "{name} may not create more: quota exceeded ({detail})",
    Problem.WEBHOOK_DENIED: "an admission webhook refused what {name} wanted to create: {detail}",
    Problem.POLICY_DENIED: "an admission policy refused what {name} wanted to create: {detail}",
    Problem.POD_SECURITY: "pod security refused what {name} wanted to create: {detail}",
    Problem.FAILED_CREATE: "{name} could not create an object: {detail}",
    Problem.PROGRESS_DEADLINE: "{name} made no progress in time",
    Problem.BACKOFF_LIMIT: "{name} failed too often (BackoffLimitExceeded)",
    Problem.DEADLINE: "{name} took too long (DeadlineExceeded)",
    Problem.POD_FAILURE_POLICY: "{name} ended by its pod failure policy: {detail}",
    Problem.MISSED_SCHEDULE: "{name} missed its schedule: {detail}",
    Problem.AUTOSCALING_FAILED: "{name} can not scale: {detail}",
    Problem.NODE_NOT_READY: "{name} lost its node: {detail}",
    Problem.NODE_PRESSURE: "{name} runs out of resources: {detail}",
    Problem.NODE_SHUTDOWN: "{name} was shut down: {detail}",
    Problem.REBOOTED: "{name} was rebooted",
    Problem.DRAIN_FAILED: "{name} can not be drained: {detail}",
    Problem.SCALE_UP_FAILED: "no node can be added for {name}: {detail}",
    Problem.FAILED_MOUNT: "a volume of {name} can not be mounted: {detail}",
    Problem.FAILED_ATTACH: "a volume of {name} can not be attached: {detail}",
    Problem.PROVISIONING_FAILED: "no volume can be provisioned for {name}: {detail}",
    Problem.CLAIM_NOT_BOUND: "{name} can not be bound: {detail}",
    Problem.VOLUME_RESIZE_FAILED: "the volume of {name} can not be resized: {detail}",
    Problem.VOLUME_DELETE_FAILED: "{name} can not be deleted: {detail}",
    Problem.LOAD_BALANCER_FAILED: "{name} gets no load balancer: {detail}",
    Problem.SYNC_FAILED: "{name} can not be synchronised: {detail}",
    Problem.HEALTH_CHECK_FAILED: "{name} is not healthy: {detail}",
    Problem.ROLLOUT_ABORTED: "{name} was aborted: {detail}",
}

OF_NODES = {Problem.NODE_NOT_READY: "{name} was not ready"}  # where the Node is the one that suffers

STAGES: dict[str, str] = {
    stages.SCHEDULING: "waiting for a node for {name}",
    stages.PREPARATION: "preparing volumes and sandbox of {name}",
    stages.IMAGE_PULL: "pulling {image} for {name}",
    stages.CONTAINER_START: "starting the containers of {name}",
    stages.READINESS: "waiting for readiness of {name}",
    stages.RUNNING: "running {name}",
    stages.CONTROLLERS: "waiting for the controllers",
}


def of(cause: Cause) -> str:
    """What went wrong, in words."""
    symptom, obj = cause.symptom, cause.lifecycle.record.object
    images = dict(obj.images)
    container = symptom.container or (next(iter(images)) if len(images) == 1 else "")
    problem = Problem(symptom.problem)
    phrases = OF_NODES if obj.kind == "Node" and problem in OF_NODES else PHRASES
    return phrases[problem].format(
        name=obj.name,
        container=f"container {container}" if container else "a container",
        image=images.get(container) or next(iter(images.values()), "the image"),
        reason=_reason(symptom),
        detail=sanitize.text(symptom.message or symptom.reason, MAX_DETAIL),
    )


def of_stage(stage: str, lifecycle: Lifecycle, image: str) -> str:
    """What was waited for, in words."""
    return STAGES[stage].format(name=lifecycle.record.object.name, image=image or "the image")


def _reason(symptom: Symptom) -> str:
    """The state that the kubelet gives a container then: its Events say no more than "Failed" and "BackOff"."""
    said = _STATE.match(symptom.message)
    if said is not None:
        return said["state"]
    if symptom.problem == Problem.IMAGE_PULL:
        return _IMAGE_STATES.get(symptom.reason, symptom.reason)
    return symptom.reason
