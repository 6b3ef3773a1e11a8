"""The errors that end a command, on one screen.

    KspanpyError              one actionable line on stderr, no traceback, exit code `exit_code`
    ├─ UsageError      (2)    a flag, a variable or a file that the user gave is wrong
    ├─ StartupError    (3)    the world is not as it must be to start: API server, rights, credentials
    └─ InputError      (4)    an input file can not be read at all (single bad lines are counted instead)

What goes wrong while the service runs is never one of these: it is retried, degraded or counted with a reason.
"""

from __future__ import annotations


class KspanpyError(Exception):
    """Ends the command. The message names the input, what is wrong with it and what to do."""

    exit_code = 1


class UsageError(KspanpyError):
    """A flag, a variable or a file name that the user gave is wrong."""

    exit_code = 2


class StartupError(KspanpyError):
    """The world is not as it must be to start."""

    exit_code = 3


class InputError(KspanpyError):
    """An input file can not be read at all."""

    exit_code = 4
