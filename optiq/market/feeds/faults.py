"""What a poll may fail of; a fault is told and counted, and never becomes a price."""

from __future__ import annotations

from typing import Literal

import numpy as np

from optiq.errors import MissingDataError

Kind = Literal[
    "unreachable",
    "timeout",
    "refused",
    "rate_limited",
    "server",
    "redirected",
    "broken",
    "wrong_underlying",
    "stale",
    "skewed",
    "partial",
    "closed",
]


class FeedFault(MissingDataError):  # noqa: N818 - it is what a poll had, not a mistake
    """A poll that gave no row.

    Attributes
    ----------
    kind
        ``unreachable`` no connection; ``timeout``; ``refused`` 401, 403 and other refusals;
        ``rate_limited`` 429; ``server`` 5xx; ``redirected`` somewhere else; ``broken`` cut off,
        empty or not what it should be; ``wrong_underlying``; ``stale`` an old stamp, the last one
        again, or the same page under a new one; ``skewed`` a stamp in the future; ``partial`` far
        fewer contracts than there were; ``closed`` outside the session.
    retry_after_s
        How long the server asks to be left alone; 0 where it does not say.
    """

    code = "feed_fault"

    def __init__(self, kind: Kind, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after_s = retry_after_s


def require_newer(ts: np.datetime64, last: np.datetime64 | None, name: str) -> None:
    """Refuse a row that is not later than the last one."""
    if last is not None and ts <= last:
        word = "again the page" if ts == last else "an older page"
        raise FeedFault("stale", f"{name} sent {word} of {ts} UTC")
