"""Which observations moved a policy's decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from optiq.learn.policy.bundle import Bundle
from optiq.learn.policy.choosers import Ridge
from optiq.market.schema import BoolArray, FloatArray
from optiq.run.choices import ASIDE
from optiq.run.choosing import NONE, one_hot

LAST = "last choice"
"""What one that remembers sees beside the market."""


@dataclass(frozen=True, slots=True)
class Moved:
    """How each observation moved a preference away from where the training mean would have it.

    Attributes
    ----------
    subject, rival
        The chosen strategy and the next best; where it stood aside, the best that was possible
        and aside. ``none`` is aside, whose preference is 0.
    preference, at_mean
        The subject's preference, and what it is with every observation at the training mean.
    ahead
        By how much the subject is preferred to the rival.
    names, deviations : (n_observed,)
        Of the observations, and how many standard deviations from the training mean each lies,
        0 where it is unknown.
    moves : (n_observed,)
        The preference less what it would be with that observation at its training mean (for the
        last choice: standing aside).
    leads : (n_observed,)
        The same of what ``ahead`` tells.
    is_exact
        Whether the moves add up to the whole difference, as they do for a linear chooser.
    """

    chooser: str
    subject: str
    rival: str
    preference: float
    at_mean: float
    ahead: float
    names: tuple[str, ...]
    deviations: FloatArray
    moves: FloatArray
    leads: FloatArray
    is_exact: bool

    def told(self) -> dict[str, Any]:
        """Return it for JSON; what moved the lead most first."""
        order = np.argsort(-np.abs(self.leads), kind="stable").tolist()
        columns = (self.deviations, self.moves, self.leads)
        return {
            "chooser": self.chooser,
            "subject": self.subject,
            "rival": self.rival,
            "preference": self.preference,
            "at_mean": self.at_mean,
            "ahead": self.ahead,
            "exact": self.is_exact,
            "observations": [
                {
                    "name": self.names[k],
                    **dict(
                        zip(
                            ("deviations", "moves", "leads"),
                            (float(c[k]) for c in columns),
                            strict=True,
                        )
                    ),
                }
                for k in order
            ],
        }


def moved(
    bundle: Bundle, observation: FloatArray, mask: BoolArray, chosen: int, last: int = NONE
) -> Moved | None:
    """Return what moved the choice of ``chosen`` (-1 for aside), one observation left out a time.

    ``observation`` (n_observed,) as the market gave it, ``mask`` (n_strategies,) what was
    possible, ``last`` whom it chose before. None where no strategy that it knows was possible.
    """
    about, width = bundle.about, len(bundle.about.observed)
    mean = about.statistics.mean
    shown = np.vstack([observation, np.where(np.eye(width, dtype=bool), mean, observation), mean])
    before = [last] * (width + 1) + [NONE]
    if bundle.remembers:
        shown, before = np.vstack([shown[:-1], observation, mean]), [*before[:-1], NONE, NONE]
    said = _said(bundle, shown, before)
    able = np.append(mask, True) & ~np.isnan(said[0])
    if not able[:-1].any():
        return None
    subject, rival = _subject(said[0], able, chosen)
    own, lead = said[:, subject], said[:, subject] - said[:, rival]
    deviations = about.statistics.scaled(observation)
    names = (*about.strategies, ASIDE)
    return Moved(
        chooser=bundle.name,
        subject=names[subject],
        rival=names[rival],
        preference=float(own[0]),
        at_mean=float(own[-1]),
        ahead=float(lead[0]),
        names=(*about.observed, LAST) if bundle.remembers else about.observed,
        deviations=np.append(deviations, np.nan) if bundle.remembers else deviations,
        moves=own[0] - own[1:-1],
        leads=lead[0] - lead[1:-1],
        is_exact=isinstance(bundle.speaks, Ridge),
    )


def _said(bundle: Bundle, shown: FloatArray, before: list[int]) -> FloatArray:
    """Return (n, n_strategies + 1) preferences, the last of standing aside."""
    n_strategies = len(bundle.about.strategies)
    last = np.stack([one_hot(index, n_strategies) for index in before])
    said = bundle.preferences(shown, last if bundle.remembers else None)
    return np.hstack([said, np.zeros((len(shown), 1))])


def _subject(said: FloatArray, able: BoolArray, chosen: int) -> tuple[int, int]:
    """Return the places of whom the story is about and of its rival, aside being the last."""
    aside = len(said) - 1
    ranked = sorted(np.flatnonzero(able).tolist(), key=lambda place: -said[place])
    if chosen == NONE:
        return next(place for place in ranked if place != aside), aside
    return chosen, next(place for place in ranked if place != chosen)
