"""What the commands show on stderr while they work: nothing for two seconds, then one line that changes, then nothing again.

Only a terminal gets it; in a pipe or a log there is only the summary at the end.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event as Flag
from threading import Thread
from typing import Final

from rich.console import Console
from rich.status import Status
from rich.text import Text

PATIENCE_S: Final = 2.0
_REFRESH_S: Final = 0.25


class _Console(Console):
    """Rich would end the program by itself, with exit code 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def stdout() -> Console:
    """For results: plain when piped or NO_COLOR is set, and as wide as the terminal."""
    return _Console(highlight=False, soft_wrap=False, emoji=False)


def stderr() -> Console:
    """For what is said about the results."""
    return _Console(stderr=True, highlight=False, emoji=False)


def print_lines(console: Console, lines: list[Text]) -> None:
    """Lines of the view, as they are; in ASCII where the terminal knows no more."""
    from kspanpy.view import cells

    ascii_only = not console.encoding.lower().startswith("utf")
    for line in lines:
        line.rstrip()
        text = Text(cells.plain(line.plain)) if ascii_only else line
        console.print(text, no_wrap=True, overflow="ignore", crop=False)


@contextmanager
def progress(describe: Callable[[], str], *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Shows what `describe` says, four times a second, once the block has taken longer than `patience_s`."""
    if not sys.stderr.isatty():
        yield
        return
    over = Flag()
    thread = Thread(target=_show, args=(describe, over, patience_s), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(1.0)


def _show(describe: Callable[[], str], over: Flag, patience_s: float) -> None:
    if over.wait(patience_s):
        return
    began = time.monotonic() - patience_s
    with Status("", console=stderr(), spinner="dots") as status:
        while True:
            status.update(Text(f"{describe()} · {time.monotonic() - began:.0f} s"))
            if over.wait(_REFRESH_S):
                return
