"""Log lines: one record, one line, no secrets, whatever is in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kspanpy.core import sanitize
from kspanpy.ops import logs

Lines = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """These tests set up the logging of the process."""
    root, ours = logging.getLogger(), logging.getLogger("kspanpy")
    before = (root.level, ours.level, list(root.handlers), logging.raiseExceptions)
    yield
    logging.captureWarnings(capture=False)
    root.setLevel(before[0])
    ours.setLevel(before[1])
    root.handlers[:], logging.raiseExceptions = before[2], before[3]


def lines(form: Literal["json", "text"], log: Callable[[logging.Logger], object], **more: Any) -> list[str]:
    """What is written when `log` is called."""
    stream = io.StringIO()
    logs.set_up(level=more.pop("level", "info"), form=form, stream=stream, **more)
    log(logging.getLogger("kspanpy.test"))
    return stream.getvalue().splitlines()


class TestJson:
    """The service's form."""

    def test_a_record_is_an_object(self) -> None:
        """Time, level, logger, message, and the fields of `extra` with their types."""
        (line,) = lines(
            "json", lambda log: log.info("stopped %s", "well", extra={"spans": 3, "took_s": 0.5, "ok": True})
        )
        record = json.loads(line)
        assert record.pop("time").endswith("Z")
        assert record == {
            "level": "info",
            "logger": "kspanpy.test",
            "message": "stopped well",
            "spans": 3,
            "took_s": 0.5,
            "ok": True,
        }

    def test_an_exception_is_part_of_the_line(self) -> None:
        """The traceback too, on the same line."""

        def fail(log: logging.Logger) -> None:
            try:
                _ = 1 / 0
            except ZeroDivisionError:
                log.exception("a defect")

        (line,) = lines("json", fail)
        assert "ZeroDivisionError: division by zero" in json.loads(line)["exception"]

    def test_extra_can_not_replace_what_is_ours(self) -> None:
        """A field called level does not change the level."""
        (line,) = lines("json", lambda log: log.warning("x", extra={"level": "debug", "time": "never"}))
        assert json.loads(line)["level"] == "warning"
        assert json.loads(line)["time"] != "never"

    @given(st.text(max_size=300), st.text(max_size=300), st.floats())
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
    def test_any_text_is_one_line_of_json(self, message: str, value: str, number: float) -> None:
        """Nothing that a cluster says can forge a second record or move a cursor."""
        found = lines("json", lambda log: log.info("%s", message, extra={"value": value, "number": number}))
        assert len(found) == 1
        record = json.loads(found[0], parse_constant=lambda _: pytest.fail("not JSON"))
        assert record["message"] == sanitize.text(record["message"], 4096)


class TestText:
    """A person's form."""

    def test_it_reads_like_a_sentence(self) -> None:
        """Time of day, level, message, fields."""
        (line,) = lines("text", lambda log: log.warning("no rights", extra={"kind": "Node"}))
        assert line.split(" ", 1)[1] == "warning no rights kind=Node"

    @given(st.text(max_size=300))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
    def test_any_text_is_one_harmless_line(self, message: str) -> None:
        """No escape sequence, no carriage return, no line separator."""
        found = lines("text", lambda log: log.info("%s", message))
        assert len(found) == 1
        assert found[0] == sanitize.text(found[0], 10_000)


class TestLevels:
    """What is written at all."""

    def test_the_level_is_that_of_the_setting(self) -> None:
        """And counts for kspanpy."""
        assert lines("text", lambda log: log.info("x"), level="warning") == []
        assert len(lines("text", lambda log: log.debug("x"), level="debug")) == 1

    def test_libraries_speak_only_when_they_warn(self) -> None:
        """At debug level urllib3 would print every request."""

        def log(_: logging.Logger) -> None:
            logging.getLogger("urllib3").info("a request")
            logging.getLogger("urllib3").warning("a retry")

        assert len(lines("text", log, level="debug")) == 1

    def test_setting_up_twice_does_not_write_twice(self) -> None:
        """The second handler replaces the first."""
        logs.set_up(level="info", form="text", stream=io.StringIO())
        assert len(lines("text", lambda log: log.info("x"))) == 1

    def test_a_wrong_log_call_costs_nothing_but_its_arguments(self) -> None:
        """The line is there; no traceback on stderr, no exception."""
        (line,) = lines("text", lambda log: log.info("%d spans", "many"))
        assert line.endswith("%d spans")


class TestSecrets:
    """Known secrets, and what looks like one."""

    @pytest.mark.parametrize(
        "said",
        [
            "authorization: Bearer s3cr3tv4lue",
            "Authorization: s3cr3tv4lue",
            "{'Authorization': 's3cr3tv4lue'}",
            "GET /?token=s3cr3tv4lue&x=1",
            "api-key=s3cr3tv4lue",
            "password: s3cr3tv4lue",
            "https://me:s3cr3tv4lue@collector:4318",
        ],
    )
    @pytest.mark.parametrize("form", ["json", "text"])
    def test_what_looks_like_a_secret_is_replaced(self, form: Literal["json", "text"], said: str) -> None:
        """In the message and in fields."""
        (line,) = lines(form, lambda log: log.info("%s", said, extra={"field": said}))
        assert "s3cr3tv4lue" not in line
        assert "***" in line

    def test_what_is_known_to_be_a_secret_is_replaced_everywhere(self) -> None:
        """Also in a traceback, and where nothing says what it is."""

        def fail(log: logging.Logger) -> None:
            try:
                raise ValueError("blue-horse-42")  # noqa: TRY301
            except ValueError:
                log.exception("blue-horse-42", extra={"blue-horse-42": "blue-horse-42"})

        assert "blue-horse" not in "".join(lines("json", fail, secrets=["blue-horse-42"]))

    def test_ordinary_sentences_stay(self) -> None:
        """`token` and `secret` are also ordinary words of Kubernetes."""
        (line,) = lines("text", lambda log: log.info("the service account's token was read again"))
        assert line.endswith("the service account's token was read again")
