"""What a person may decide about the evening, as section ``evening`` of the settings file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from optiq.market.schema import UNDERLYINGS

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EXTRA = ("policy", "direction")
"""What is trained only when asked for."""
CHOOSERS = ("sac", "ridge", "lightgbm")


@dataclass(frozen=True, slots=True)
class EveningSettings:
    """Where the day's recordings lie, what is trained, and when.

    Attributes
    ----------
    sources
        Files, folders or globs of recordings; ``{date}`` stands for the session.
    underlyings
        Indices that must have come in before anything is learnt.
    lookback, lockbox
        How many sessions the scorer learns from, and how many of the last no model sees.
    rule
        Whose exit rule makes the scorer's labels.
    policy_on, direction_on
        Weekdays, such as ``["fri"]``, on which these are trained too.
    policy_chooser, policy_seeds
        As ``--chooser`` and ``--seeds`` of ``train-policy``.
    direction_lookback, direction_seeds, direction_epochs
        As ``--lookback``, ``--seeds`` and ``--epochs`` of ``train-direction``.
    margin_minutes
        How long after the close the evening begins.
    retry_minutes
        How long after one that failed, or had no data, ``--if-due`` tries again.
    time_limit_minutes
        When it is given up.
    least_free_mb
        Free disk below which it does not begin; three times what the last one used, if more.
    stale_after_sessions
        How old a champion may be before every run warns of it.
    alert
        Whom to tell how it went, as ``paper-run --alert``.
    """

    sources: tuple[Path, ...] = ()
    underlyings: tuple[str, ...] = ("NIFTY",)
    lookback: int = 60
    lockbox: int = 20
    rule: str = "gamma_scalping"
    policy_on: tuple[str, ...] = ()
    direction_on: tuple[str, ...] = ()
    policy_chooser: str = "sac"
    policy_seeds: int = 5
    direction_lookback: int = 250
    direction_seeds: int = 3
    direction_epochs: int = 20
    margin_minutes: float = 15.0
    retry_minutes: float = 60.0
    time_limit_minutes: float = 120.0
    least_free_mb: float = 200.0
    stale_after_sessions: int = 60
    alert: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.underlyings:
            if name not in UNDERLYINGS:
                raise ValueError(f"no underlying {name}; known are {', '.join(UNDERLYINGS)}")
        for day in (*self.policy_on, *self.direction_on):
            if day not in WEEKDAYS:
                raise ValueError(f"no weekday {day}; write one of {', '.join(WEEKDAYS)}")
        if self.policy_chooser not in CHOOSERS:
            raise ValueError(f"no chooser {self.policy_chooser}; write {', '.join(CHOOSERS)}")
        trained = (self.policy_seeds, self.direction_seeds, self.direction_epochs)
        if min(*trained, self.direction_lookback) < 1:
            raise ValueError("seeds, epochs and lookback are 1 or more")
        if not self.underlyings or self.lookback < 1 or self.lockbox < 0:
            raise ValueError("an underlying, a lookback of 1 or more and a lockbox of 0 or more")
        if min(self.margin_minutes, self.retry_minutes, self.least_free_mb) < 0:
            raise ValueError("minutes and megabytes are 0 or more")
        if self.time_limit_minutes <= 0:
            raise ValueError("a time limit is more than 0 minutes")
