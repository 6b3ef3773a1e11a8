"""What `kubectl apply -k deploy` installs: least rights, a pod that "restricted" admits, ports and times as in the code."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import kspanpy
from kspanpy.kube.resources import WATCHED
from kspanpy.settings.model import Settings

TOP = Path(__file__).parents[2]
DEPLOY = TOP / "deploy"


def documents(name: str) -> list[dict[str, Any]]:
    """The objects of one file."""
    return [document for document in yaml.safe_load_all((DEPLOY / name).read_text()) if document]


def named(kind: str) -> dict[str, Any]:
    """The one object of that kind in the base."""
    (found,) = [d for name in kustomization()["resources"] for d in documents(name) if d["kind"] == kind]
    return found


def kustomization() -> dict[str, Any]:
    """The base itself."""
    (found,) = documents("kustomization.yaml")
    return found


def pod() -> dict[str, Any]:
    """The spec of the pod."""
    return named("Deployment")["spec"]["template"]["spec"]


def containers() -> dict[str, dict[str, Any]]:
    """The containers of the pod by name, sidecars too."""
    return {c["name"]: c for c in [*pod()["initContainers"], *pod()["containers"]]}


def environment(container: dict[str, Any]) -> dict[str, str]:
    """The variables that the manifest sets."""
    return {variable["name"]: variable["value"] for variable in container["env"]}


def rendered(folder: Path, component: str) -> list[dict[str, Any]]:
    """What an overlay of the base with this component comes to, by kubectl kustomize."""
    shutil.copytree(DEPLOY, folder / "deploy")
    overlay = {"resources": ["../deploy"], "components": [f"../deploy/components/{component}"]}
    (folder / "overlay").mkdir()
    (folder / "overlay" / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    command = ["kubectl", "kustomize", folder / "overlay"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    return list(yaml.safe_load_all(done.stdout))


class TestRights:
    """The role is the table of the code."""

    def test_the_role_grants_exactly_what_is_watched(self) -> None:
        """Every watched resource may be read and watched, and nothing else: the table of the code is the role."""
        granted = {
            (group, resource): tuple(rule["verbs"])
            for rule in named("ClusterRole")["rules"]
            if "resourceNames" not in rule
            for group in rule["apiGroups"]
            for resource in rule["resources"]
        }
        assert granted == {(r.group, r.plural): ("get", "list", "watch") for r in WATCHED}

    def test_by_name_only_the_namespace_that_identifies_the_cluster_may_be_read(self) -> None:
        """The uid of kube-system is the cluster's; no other namespace is readable."""
        (rule,) = [rule for rule in named("ClusterRole")["rules"] if "resourceNames" in rule]
        assert rule == {
            "apiGroups": [""],
            "resources": ["namespaces"],
            "resourceNames": ["kube-system"],
            "verbs": ["get"],
        }

    def test_the_role_is_bound_to_the_account_of_the_pod(self) -> None:
        """The account that the pod runs as is the one that has the role, in the namespace of the base."""
        binding, account = named("ClusterRoleBinding"), named("ServiceAccount")["metadata"]["name"]
        assert binding["roleRef"]["name"] == named("ClusterRole")["metadata"]["name"]
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": account, "namespace": kustomization()["namespace"]}
        ]
        assert pod()["serviceAccountName"] == account
        assert named("Namespace")["metadata"]["name"] == kustomization()["namespace"]


class TestPod:
    """What runs, and as what."""

    def test_restricted_pod_security_is_enforced_and_kept(self) -> None:
        """https://kubernetes.io/docs/concepts/security/pod-security-standards/ , checked here as far as it can be read off."""
        assert named("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        assert pod()["securityContext"]["runAsNonRoot"] is True
        assert pod()["securityContext"]["runAsUser"] == 65534
        assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod())
        assert all(set(volume) & {"configMap", "emptyDir"} for volume in pod()["volumes"])

    @pytest.mark.parametrize("name", ["kspanpy", "otel-collector"])
    def test_a_container_can_change_nothing(self, name: str) -> None:
        """No privilege, no capability, no writable root, and a bound on memory."""
        container = containers()[name]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]

    def test_there_is_one_writer(self) -> None:
        """One replica, and never two during an update."""
        assert named("Deployment")["spec"]["replicas"] == 1
        assert named("Deployment")["spec"]["strategy"] == {"type": "Recreate"}

    def test_the_last_spans_have_time_to_leave(self) -> None:
        """It stops sending before it is killed, and the Collector outlives it: a sidecar ends after the containers."""
        assert Settings.model_fields["shutdown_seconds"].default < pod()["terminationGracePeriodSeconds"]
        assert containers()["otel-collector"]["restartPolicy"] == "Always"
        assert "otel-collector" in [c["name"] for c in pod()["initContainers"]]

    def test_probes_ask_where_the_service_answers(self) -> None:
        """The port is the default of KSPANPY_LISTEN, the paths are those of kspanpy.ops."""
        container = containers()["kspanpy"]
        port = int(Settings.model_fields["listen"].default.rpartition(":")[2])
        assert container["ports"] == [{"name": "http", "containerPort": port}]
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
        (service_port,) = named("Service")["spec"]["ports"]
        assert (service_port["port"], service_port["targetPort"]) == (port, "http")

    def test_the_image_is_of_this_version(self) -> None:
        """The base installs the version that it came with."""
        (image,) = kustomization()["images"]
        assert (image["name"], image["newTag"]) == (containers()["kspanpy"]["image"], kspanpy.__version__)


class TestHighAvailability:
    """The component with two replicas."""

    COMPONENT = "components/ha"

    def patch(self) -> dict[str, Any]:
        """Its change of the Deployment."""
        (found,) = documents(f"{self.COMPONENT}/deployment.yaml")
        assert found["metadata"]["name"] == named("Deployment")["metadata"]["name"]
        return found

    def test_the_only_right_to_write_is_on_the_lease_in_the_own_namespace(self) -> None:
        """A Role, no ClusterRole; by name where that is possible; bound to the account of the pod."""
        role, binding = documents(f"{self.COMPONENT}/rbac.yaml")
        assert (role["kind"], binding["kind"], binding["roleRef"]["kind"]) == ("Role", "RoleBinding", "Role")
        (lease,) = [
            v["value"]
            for c in self.patch()["spec"]["template"]["spec"]["containers"]
            for v in c["env"]
            if v["name"] == "KSPANPY_LEASE"
        ]
        rules = [{**rule, "verbs": set(rule["verbs"])} for rule in role["rules"]]
        leases = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
        assert rules == [
            {**leases, "verbs": {"create"}},
            {**leases, "resourceNames": [lease], "verbs": {"get", "update"}},
        ]
        assert binding["roleRef"]["name"] == role["metadata"]["name"]
        assert binding["subjects"] == named("ClusterRoleBinding")["subjects"]

    def test_it_takes_the_state_on_disk_away(self) -> None:
        """A Lease and a state directory exclude each other: the variable, its folder and its volume are deleted, and nothing else."""
        changed = self.patch()["spec"]["template"]["spec"]
        (container,) = changed["containers"]
        deleted = {
            "variable": [v["name"] for v in container["env"] if v.get("$patch") == "delete"],
            "folder": [m["mountPath"] for m in container["volumeMounts"] if m.get("$patch") == "delete"],
            "volume": [v["name"] for v in changed["volumes"] if v.get("$patch") == "delete"],
        }
        base = containers()["kspanpy"]
        folder = environment(base)["KSPANPY_STATE_DIRECTORY"]
        (volume,) = [mount["name"] for mount in base["volumeMounts"] if mount["mountPath"] == folder]
        assert deleted == {"variable": ["KSPANPY_STATE_DIRECTORY"], "folder": [folder], "volume": [volume]}

    @pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl renders it; the patch itself is tested above")
    def test_rendered_it_has_a_lease_and_no_state_directory(self, tmp_path: Path) -> None:
        """As an overlay that uses the component, by kubectl kustomize."""
        made = rendered(tmp_path, "ha")
        (deployment,) = [d for d in made if d["kind"] == "Deployment"]
        spec = deployment["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        assert environment(container).keys() - environment(containers()["kspanpy"]).keys() == {"KSPANPY_LEASE"}
        assert environment(containers()["kspanpy"]).keys() - environment(container).keys() == {
            "KSPANPY_STATE_DIRECTORY"
        }
        assert [mount["name"] for mount in container["volumeMounts"]] == ["tmp"]
        assert {volume["name"] for volume in spec["volumes"]} == {"otel-collector", "queue", "tmp"}

    def test_an_update_starts_the_new_before_it_ends_the_old(self) -> None:
        """Two replicas, never less; drains take one at a time."""
        spec = self.patch()["spec"]
        assert spec["replicas"] == 2
        assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        (budget,) = documents(f"{self.COMPONENT}/disruption.yaml")
        assert budget["spec"]["maxUnavailable"] == 1
        labels = named("Deployment")["spec"]["selector"]["matchLabels"]
        assert budget["spec"]["selector"]["matchLabels"] == labels

    def test_it_is_a_component_of_all_its_files(self) -> None:
        """Nothing lies beside it unused."""
        (component,) = documents(f"{self.COMPONENT}/kustomization.yaml")
        assert component["kind"] == "Component"
        used = {*component["resources"], *(patch["path"] for patch in component["patches"]), "kustomization.yaml"}
        assert used == {path.name for path in (DEPLOY / self.COMPONENT).iterdir()}


class TestSharded:
    """The component with several processes that tell the stories together."""

    COMPONENT = "components/sharded"

    def changes(self) -> dict[str, Any]:
        """What it does to the Deployment, by path."""
        (operations,) = documents(f"{self.COMPONENT}/shards.yaml")
        return {operation["path"]: operation.get("value") for operation in operations}

    def test_there_are_as_many_pods_as_shards(self) -> None:
        """The number stands at two places; a shard without a pod would be told by nobody."""
        changes = self.changes()
        variable = changes["/spec/template/spec/containers/0/env/-"]
        assert variable == {"name": "KSPANPY_SHARD", "value": f"auto/{changes['/spec/replicas']}"}
        assert changes["/spec/replicas"] > 1
        assert pod()["containers"][0]["name"] == "kspanpy"

    def test_each_pod_knows_its_number(self) -> None:
        """A StatefulSet numbers them; a Deployment does not. Nothing of a Deployment that a StatefulSet does not know is left."""
        changes = self.changes()
        assert changes["/kind"] == "StatefulSet"
        assert changes["/spec/strategy"] is None
        assert changes["/spec/serviceName"] == named("Service")["metadata"]["name"]
        (component,) = documents(f"{self.COMPONENT}/kustomization.yaml")
        (patch,) = component["patches"]
        assert patch["target"] == {"kind": "Deployment", "name": named("Deployment")["metadata"]["name"]}
        assert {path.name for path in (DEPLOY / self.COMPONENT).iterdir()} == {patch["path"], "kustomization.yaml"}

    def test_each_pod_has_a_state_directory_of_its_own(self) -> None:
        """It stays as it is in the base: an emptyDir is one pod's."""
        folder = environment(containers()["kspanpy"])["KSPANPY_STATE_DIRECTORY"]
        (volume,) = [m["name"] for m in containers()["kspanpy"]["volumeMounts"] if m["mountPath"] == folder]
        assert any(v["name"] == volume and "emptyDir" in v for v in pod()["volumes"])
        assert not any("volumes" in path or "volumeMounts" in path for path in self.changes())

    @pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl renders it; the patch itself is tested above")
    def test_rendered_it_is_the_pod_of_the_base_with_a_number(self, tmp_path: Path) -> None:
        """As an overlay that uses the component, by kubectl kustomize."""
        made = rendered(tmp_path, "sharded")
        assert not [d for d in made if d["kind"] == "Deployment"]
        (stateful,) = [d for d in made if d["kind"] == "StatefulSet"]
        spec = stateful["spec"]
        assert spec.keys() == {"podManagementPolicy", "replicas", "selector", "serviceName", "template"}
        (container,) = spec["template"]["spec"]["containers"]
        assert environment(container) == {
            **environment(containers()["kspanpy"]),
            "KSPANPY_SHARD": f"auto/{spec['replicas']}",
        }
        assert [v["name"] for v in spec["template"]["spec"]["volumes"]] == [v["name"] for v in pod()["volumes"]]


class TestCollector:
    """The sidecar and its configuration."""

    def test_the_two_copies_of_its_configuration_are_one(self) -> None:
        """A base reads only below its folder, people look at the top: both are the same file."""
        assert (DEPLOY / "otel-collector.yaml").read_bytes() == (TOP / "otel-collector.yaml").read_bytes()

    def test_it_refuses_before_it_runs_out_of_memory(self) -> None:
        """memory_limiter comes first, below the container's limit; nothing between it and the queue says yes too early."""
        config = yaml.safe_load((TOP / "otel-collector.yaml").read_text())
        assert config["service"]["pipelines"]["traces"]["processors"] == ["memory_limiter"]
        limit = containers()["otel-collector"]["resources"]["limits"]["memory"]
        assert config["processors"]["memory_limiter"]["limit_mib"] < int(limit.removesuffix("Mi"))

    def test_nothing_is_given_up_while_the_backend_is_away(self) -> None:
        """The queue is bounded, retries are not; in the cluster the queue is on disk."""
        exporter = yaml.safe_load((TOP / "otel-collector.yaml").read_text())["exporters"]["otlp_grpc"]
        assert exporter["retry_on_failure"]["max_elapsed_time"] == 0
        assert exporter["sending_queue"]["queue_size"] > 0
        collector = containers()["otel-collector"]
        assert environment(collector)["OTEL_COLLECTOR_STORAGE"] == "file_storage"
        mounts = {mount["mountPath"]: mount["name"] for mount in collector["volumeMounts"]}
        assert mounts[environment(collector)["OTEL_COLLECTOR_STORAGE_DIRECTORY"]] == "queue"

    def test_kspanpy_sends_where_the_collector_listens(self) -> None:
        """On loopback: what is in the pod stays in the pod."""
        receivers = yaml.safe_load((TOP / "otel-collector.yaml").read_text())["receivers"]
        told = environment(containers()["kspanpy"])
        receiver = {"grpc": "grpc", "http/protobuf": "http"}[told["OTEL_EXPORTER_OTLP_PROTOCOL"]]
        endpoint = told["OTEL_EXPORTER_OTLP_ENDPOINT"].removeprefix("http://")
        assert endpoint in receivers["otlp"]["protocols"][receiver]["endpoint"]

    def test_every_variable_is_explained(self) -> None:
        """The head of the file lists each variable that the file reads, and a default for it."""
        text = (TOP / "otel-collector.yaml").read_text()
        read = {part.split("}")[0] for part in text.split("${env:")[1:]}
        explained = {line.split()[1] for line in text.splitlines() if line.startswith("#   OTEL_")}
        assert {variable.partition(":-")[0] for variable in read} == explained
        assert all(":-" in variable for variable in read)
