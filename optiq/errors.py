"""The one error tree: each error knows its exit code; the command line prints it as one line."""

from __future__ import annotations


class OptiqError(Exception):
    """Something a person can act on.

    ``str(error)`` says what was found; ``hint`` says what to do about it. ``code`` is the word
    machines read in ``--json`` output and ``exit_code`` the status of the process.
    """

    code = "error"
    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class InputError(OptiqError):
    """A wrong option, a wrong setting, a file that cannot be read as what it should be."""

    code = "bad_input"
    exit_code = 2


class RuleError(InputError):
    """A market fact (lot, expiry, session, charge) that no dated row covers."""

    code = "no_rule"


class StrategyError(InputError):
    """A strategy that gave something other than orders on its panel; the message names it."""

    code = "bad_strategy"


class DamagedError(OptiqError):
    """Stored state that disagrees with itself: a hash, a manifest, a parity check."""

    code = "damaged"
    exit_code = 3


class LookAheadError(OptiqError):
    """A strategy, a score or a feature that says two things of one row, by where the day ends."""

    code = "looks_ahead"
    exit_code = 3


class EvidenceError(OptiqError):
    """Not enough evidence: a gate refused, too few episodes."""

    code = "not_enough_evidence"
    exit_code = 4


class MissingDataError(OptiqError):
    """Data that is not there, or too old."""

    code = "missing_data"
    exit_code = 10


class CannotCreateError(OptiqError):
    """A file or folder that cannot be created."""

    code = "cannot_create"
    exit_code = 73


class StorageError(OptiqError):
    """A read or write that failed: a full disk, a broken device."""

    code = "io_error"
    exit_code = 74


class BusyError(OptiqError):
    """Another run holds the lock."""

    code = "busy"
    exit_code = 75


class AccessError(OptiqError):
    """A file or folder this user may not touch."""

    code = "no_permission"
    exit_code = 77


class TimeLimitError(OptiqError):
    """A job that was given up because its time was over; it ends as if it were terminated."""

    code = "time_limit"
    exit_code = 143
