"""What time it is, for whoever must be told the same twice: read from the clock in one place."""

from __future__ import annotations

import datetime as dt
import os

from optiq.errors import InputError

VARIABLE = "OPTIQ_TEST_NOW"
"""Another time, ISO with a zone, for this project's own tests; not a setting."""


def now() -> dt.datetime:
    """Return the time, UTC."""
    given = os.environ.get(VARIABLE)
    if given is None:
        return dt.datetime.now(dt.UTC)
    moment = dt.datetime.fromisoformat(given)
    if moment.tzinfo is None:
        raise InputError(f"{VARIABLE} {given} has no zone", "write 2025-11-20T11:00+00:00")
    return moment.astimezone(dt.UTC)
