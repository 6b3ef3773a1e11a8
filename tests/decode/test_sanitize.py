"""Text from the cluster is made safe before anything else sees it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kspanpy.core import sanitize

ANY_TEXT = st.text(st.characters(exclude_categories=()))
FORBIDDEN = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff\\ufeff]")


@pytest.mark.parametrize(
    ("given_text", "clean"),
    [
        pytest.param("Back-off restarting failed container", "Back-off restarting failed container", id="clean"),
        pytest.param("größer als 日本", "größer als 日本", id="printable-unicode"),
        pytest.param("one\r\n\ttwo\u2028three", "one two three", id="line-breaks-become-one-space"),
        pytest.param("\x1b[31mred\x1b[0m\x00", "[31mred[0m", id="terminal-escapes"),
        pytest.param("a\u202eb\u2066c\u200fd", "abcd", id="bidirectional-overrides"),
        pytest.param("a\ud800b", "a\ufffdb", id="lone-surrogate"),
        pytest.param("\ufeffname\u200b", "name", id="invisible"),
        pytest.param("👩\u200d🚀", "👩\u200d🚀", id="joined-emoji-stay"),
        pytest.param("", "", id="empty"),
    ],
)
def test_unsafe_characters_go_and_the_message_stays_readable(given_text, clean):
    """Controls and overrides are removed, line breaks become a space, the rest is kept."""
    assert sanitize.text(given_text) == clean


@pytest.mark.parametrize("size", [1, 10, 1023, 1024, 1025, 5000, 1_000_000])
def test_long_text_is_cut_with_a_visible_ellipsis(size):
    """At most `limit` characters come out; the last one says that there was more."""
    result = sanitize.text("x" * size)
    assert len(result) == min(size, sanitize.MESSAGE)
    assert result.endswith("…") == (size > sanitize.MESSAGE)


def test_text_of_only_removed_characters_is_short_and_says_that_more_was_there():
    """A megabyte of controls is not scanned to its end."""
    assert sanitize.text("\x00" * 1_000_000) == "…"


@given(ANY_TEXT, st.integers(0, 60))
def test_any_text_becomes_safe_bounded_and_stable(value, limit):
    """Nothing forbidden, never longer than the limit, and cleaning twice changes nothing."""
    result = sanitize.text(value, limit)
    assert len(result) <= limit
    assert not FORBIDDEN.search(result)
    assert sanitize.text(result, limit) == result
    result.encode()


@pytest.mark.parametrize(
    ("given_text", "identifier"),
    [
        pytest.param("ScalingReplicaSet", "ScalingReplicaSet", id="as-it-is"),
        pytest.param("web 1/2", "web_1_2", id="replaced"),
        pytest.param("-.x", "x", id="begins-with-a-letter-or-digit"),
        pytest.param("é", "unknown", id="nothing-left"),
        pytest.param("", "unknown", id="empty"),
        pytest.param("x" * 100, "x" * 63, id="cut"),
    ],
)
def test_names_of_spans_keep_their_grammar(given_text, identifier):
    """Span-name parts are [A-Za-z0-9][A-Za-z0-9._-]{0,62}."""
    assert sanitize.identifier(given_text) == identifier


@given(ANY_TEXT)
def test_any_text_becomes_an_identifier(value):
    """Whatever a reason is, a span can be named after it."""
    assert re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,62}", sanitize.identifier(value))
