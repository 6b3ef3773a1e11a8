"""Settings: what is accepted, what wins, and what is said when it is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kspanpy.app.leading import lease_name
from kspanpy.app.linking import linker_settings
from kspanpy.core import sanitize
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.shard import Shard
from kspanpy.errors import UsageError
from kspanpy.settings import Settings, load, otel, reference
from kspanpy.settings.model import GROUPS


def message(flags: dict[str, object] | None = None) -> str:
    """What is said of wrong settings."""
    with pytest.raises(UsageError) as caught:
        load(flags)
    return str(caught.value)


class TestPrecedence:
    """Flag, then variable, then default."""

    def test_the_default_counts_when_nothing_is_said(self) -> None:
        """Every value has its default, and says so."""
        settings, sources = load()
        assert settings == Settings()
        assert set(sources.values()) == {"default"}

    def test_a_variable_wins_over_the_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """KSPANPY_HOLD_SECONDS=3 is used."""
        monkeypatch.setenv("KSPANPY_HOLD_SECONDS", "3")
        settings, sources = load()
        assert (settings.hold_seconds, sources["hold_seconds"]) == (3.0, "environment")

    def test_a_flag_wins_over_the_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """--hold-seconds 4 is used; a flag that was not given is None and says nothing."""
        monkeypatch.setenv("KSPANPY_HOLD_SECONDS", "3")
        settings, sources = load({"hold_seconds": "4", "context": None})
        assert (settings.hold_seconds, sources["hold_seconds"]) == (4.0, "flag")

    def test_an_empty_variable_is_not_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Manifests often have variables that are there and empty."""
        monkeypatch.setenv("KSPANPY_HOLD_SECONDS", "")
        assert load().settings.hold_seconds == 1.0

    def test_the_standard_variable_is_the_default_of_the_exporter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """OTEL_TRACES_EXPORTER=none works as everywhere; our own variable and flag win."""
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
        assert load().settings.exporter == "none"
        monkeypatch.setenv("KSPANPY_EXPORTER", "console")
        assert load().settings.exporter == "console"
        assert load({"exporter": "otlp"}).settings.exporter == "otlp"

    @pytest.mark.parametrize("text", ["shop,web", "shop, web", "shop web", " shop\n,web,"])
    def test_namespaces_are_a_list(self, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        """Separated by commas or spaces, as people write them."""
        monkeypatch.setenv("KSPANPY_NAMESPACES", text)
        assert load().settings.namespaces == ("shop", "web")

    def test_the_defaults_are_those_of_the_linker(self) -> None:
        """What both say, they say alike."""
        ours, theirs = Settings(), LinkerSettings()
        assert (ours.hold_seconds, ours.settle_seconds, ours.quiet_seconds, ours.story_cap_seconds) == (
            theirs.hold_s,
            theirs.settle_s,
            theirs.quiet_s,
            theirs.story_cap_s,
        )
        assert (ours.max_objects, ours.max_pending) == (theirs.max_objects, theirs.max_pending)
        assert (ours.traceparent, ours.traceparent_annotations) == (theirs.traceparent, theirs.traceparent_annotations)

    def test_annotations_are_a_list(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """They reach the linker behind the one that Kubernetes has."""
        monkeypatch.setenv("KSPANPY_TRACEPARENT_ANNOTATIONS", "traceparent, ci.example.com/span")
        linker = linker_settings(load().settings, cluster_uid="", service="")
        assert linker.traceparent_keys == ("tracing.k8s.io/traceparent", "traceparent", "ci.example.com/span")

    def test_what_is_no_key_of_an_annotation_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In one line."""
        monkeypatch.setenv("KSPANPY_TRACEPARENT_ANNOTATIONS", "a/b/c")
        expected = "KSPANPY_TRACEPARENT_ANNOTATIONS=a/b/c: must be keys of annotations separated by commas"
        assert message() == expected


class TestShard:
    """Which part of the stories a process tells."""

    def test_it_reaches_the_linker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """KSPANPY_SHARD=2/4 is the third of four; nothing is everything."""
        assert linker_settings(load().settings, cluster_uid="", service="").shard == Shard(0, 1)
        monkeypatch.setenv("KSPANPY_SHARD", "2/4")
        assert linker_settings(load().settings, cluster_uid="", service="").shard == Shard(2, 4)

    def test_the_number_may_be_that_of_the_host(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The Pods of a StatefulSet have one. What is shown is what is in force."""
        monkeypatch.setattr("socket.gethostname", lambda: "kspanpy-3")
        monkeypatch.setenv("KSPANPY_SHARD", " auto/4 ")
        assert load().settings.shard == "3/4"

    @pytest.mark.parametrize("value", ["4/4", "1", "a/b", "auto/3", "0/1000"])
    def test_what_is_no_shard_is_refused_in_one_line(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        """Also where the host name has no such number."""
        monkeypatch.setattr("socket.gethostname", lambda: "kspanpy-3")
        monkeypatch.setenv("KSPANPY_SHARD", value)
        assert message() == (
            f"KSPANPY_SHARD={value}: must be NUMBER/COUNT, such as 0/4 to 3/4 (at most 256), or auto/4 where the host name "
            "ends in such a number"
        )

    def test_each_shard_has_a_lease_of_its_own(self) -> None:
        """With one they would take each other for a replica, and only one of them would send."""
        assert lease_name(Settings(lease="kspanpy")) == "kspanpy"
        assert lease_name(Settings(lease="kspanpy", shard="1/4")) == "kspanpy-1-of-4"


class TestUnknown:
    """A typing error must not silently mean the default."""

    def test_a_close_name_is_suggested(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """KSPANPY_HOLD_SECOND -> KSPANPY_HOLD_SECONDS."""
        monkeypatch.setenv("KSPANPY_HOLD_SECOND", "3")
        assert message() == "KSPANPY_HOLD_SECOND is not a setting of kspanpy: did you mean KSPANPY_HOLD_SECONDS?"

    def test_a_name_in_the_wrong_case_is_suggested(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Variables are upper case."""
        monkeypatch.setenv("kspanpy_hold_seconds", "3")
        assert "did you mean KSPANPY_HOLD_SECONDS?" in message()

    def test_a_name_like_no_other_leads_to_the_list(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """There is nothing to suggest."""
        monkeypatch.setenv("KSPANPY_ZZZ", "3")
        assert message() == "KSPANPY_ZZZ is not a setting of kspanpy: `kspanpy run --help` lists the known ones"

    @pytest.mark.parametrize(
        "name",
        [
            "KSPANPY_SERVICE_HOST",
            "KSPANPY_SERVICE_PORT",
            "KSPANPY_SERVICE_PORT_HTTP",
            "KSPANPY_PORT",
            "KSPANPY_PORT_8080_TCP",
            "KSPANPY_PORT_8080_TCP_ADDR",
            "KSPANPY_METRICS_SERVICE_HOST",
            "KSPANPY_METRICS_PORT_8080_TCP_PROTO",
        ],
    )
    def test_what_kubernetes_writes_is_no_mistake(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """A Service called kspanpy puts variables like these into every pod of its namespace."""
        monkeypatch.setenv(name, "tcp://10.0.0.1:8080")
        load()


class TestWrong:
    """One line: which flag or variable, which value, what is allowed."""

    @pytest.mark.parametrize(
        ("name", "value", "allowed"),
        [
            ("HOLD_SECONDS", "soon", "a number of seconds from 0 to 60"),
            ("HOLD_SECONDS", "61", "a number of seconds from 0 to 60"),
            ("HOLD_SECONDS", "nan", "a number of seconds from 0 to 60"),
            ("SETTLE_SECONDS", "-1", "a number of seconds from 0 to 600"),
            ("QUEUE_SPANS", "1.5", "a whole number from 512 to 5 000 000"),
            ("EXPORTER", "oltp", "one of otlp, console, file, none"),
            ("NAMESPACES", "Shop", "namespace names separated by commas"),
            ("NAMESPACES", "a/b", "namespace names separated by commas"),
            ("LISTEN", "8080", "HOST:PORT, such as 0.0.0.0:8080 or [::1]:8080"),
            ("LOG_LEVEL", "INFO", "one of debug, info, warning, error"),
        ],
    )
    def test_a_variable(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str) -> None:
        """The message names it as it was written."""
        monkeypatch.setenv(f"KSPANPY_{name}", value)
        assert message() == f"KSPANPY_{name}={value}: must be {allowed}"

    def test_a_flag(self) -> None:
        """The flag is named, not the variable."""
        assert message({"hold_seconds": "61"}) == "--hold-seconds 61: must be a number of seconds from 0 to 60"

    def test_all_of_them_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody likes to be told one by one."""
        monkeypatch.setenv("KSPANPY_LISTEN", "x")
        assert len(message({"hold_seconds": "x", "namespaces": "A,B"}).split("; ")) == 3

    def test_a_hostile_value_does_not_reach_the_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Control characters and length are cut."""
        monkeypatch.setenv("KSPANPY_CONTEXT", "\x1b[2J" + "x" * 10_000)
        assert len(message()) < 200
        assert message().isprintable()

    @given(st.sampled_from(sorted(Settings.model_fields)), st.text(max_size=200))
    def test_any_text_is_a_setting_or_one_line(self, name: str, text: str) -> None:
        """Whatever is typed, no other exception and no line break comes out."""
        said = ""
        try:
            load({name: text})
        except UsageError as error:
            said = str(error)
        assert said == sanitize.text(said, 1000)
        assert said.startswith(reference.flag(name)) or not said


class TestModel:
    """What makes the help texts and the page complete."""

    def test_every_setting_is_explained_and_in_one_group(self) -> None:
        """A description that is a sentence; a group of the page."""
        grouped = [name for names in GROUPS.values() for name in names]
        assert sorted(grouped) == sorted(Settings.model_fields)
        assert all((field.description or "").endswith((".", ")")) for field in Settings.model_fields.values())

    def test_settings_do_not_change(self) -> None:
        """Who holds them can rely on them."""
        with pytest.raises(ValueError, match="frozen"):
            Settings().hold_seconds = 3  # type: ignore[misc]


class TestSecrets:
    """Header values, and passwords in URLs, are shown nowhere."""

    def test_headers_keep_their_names_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`kspanpy config` is pasted into bug reports."""
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cr3t,x-tenant=blue")
        ((_, shown),) = otel.effective()
        assert shown == "authorization=***,x-tenant=***"

    def test_headers_of_no_known_form_are_hidden_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """When in doubt."""
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "s3cr3t")
        assert [shown for _, shown in otel.effective()] == ["***"]

    def test_a_password_in_the_endpoint_is_hidden(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """https://user:password@host."""
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:s3cr3t@collector:4318")
        assert [shown for _, shown in otel.effective()] == ["https://***@collector:4318"]
        assert "s3cr3t" in otel.secrets()

    def test_the_log_knows_both_forms_of_a_header(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As it stands in the variable, as it is sent, and without its scheme: a backend may repeat just the token."""
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cr3t")
        assert otel.secrets() == {"Bearer%20s3cr3t", "Bearer s3cr3t", "s3cr3t"}
