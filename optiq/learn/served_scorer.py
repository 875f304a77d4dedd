"""Serve a scorer to a run: point in time, verified first, and plain about what it may have seen."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from optiq.errors import DamagedError, InputError, MissingDataError
from optiq.learn import registry
from optiq.learn.scorer import KIND, ScorerModel
from optiq.learn.scorer_fit import NAMES
from optiq.learn.scorer_serving import scorer_of
from optiq.learn.version_folder import RESTORE
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray
from optiq.run.asking import Scorer
from optiq.trade.orders import Orders

CHAMPION = "champion"
PROVISIONAL, IN_SAMPLE = "provisional", "in-sample"
"""What else scores are: of a version that was not the session's champion, or has learnt from it."""


class ServedScorer:
    """The scorers of a registry as one callable.

    As champion, each session is scored by the version whose promotion had taken effect on it, and
    not at all before the first; an exact version scores all sessions. Who scores a session is
    looked up once: a promotion in mid-run changes nothing.
    """

    def __init__(self, root: Path, name: str = CHAMPION) -> None:
        self.root, self.name = root, name
        self._model = lru_cache(maxsize=4)(self._loaded)
        self._champion = lru_cache(maxsize=None)(partial(registry.at, root, KIND))

    def __call__(self, panel: Panel, context: Context, orders: Orders) -> FloatArray | None:
        """Return (n_orders,) scores of a day's chain rows; None where none serves that session."""
        version = self.version(panel.date)
        if version is None:
            return None
        model, score = self._model(version)
        if self.name == CHAMPION and panel.underlying not in model.question.underlyings:
            return None
        return score(panel, context, orders)

    def version(self, session: dt.date) -> str | None:
        """Return the version that scores a session; None where none serves."""
        if self.name == CHAMPION:
            return self._champion(session)
        return self.name

    def learnt(self, sessions: Sequence[dt.date]) -> list[dt.date]:
        """Return those of some sessions that the version scoring them was trained on or before."""
        until = {
            version: registry.seen_until(registry.load(self.root, KIND, version))
            for version in {self.version(session) for session in sessions} - {None}
            if version is not None
        }
        return [day for day in sessions if (v := self.version(day)) is not None and day <= until[v]]

    def is_provisional(self, sessions: Sequence[dt.date]) -> bool:
        """Whether one of some sessions is scored by a version that was not its champion.

        A version promoted later is one too: it may have been chosen for those very sessions.
        """
        return any(self.version(day) not in (None, self._champion(day)) for day in sessions)

    def told(self, sessions: Sequence[dt.date]) -> dict[str, Any]:
        """Return what a run's summary says of it.

        ``standing`` is champion, provisional or in-sample, or "by version" where a version was
        asked for that was the champion of each session; ``versions`` counts the sessions of
        each; ``unscored`` are the sessions before any was promoted.
        """
        versions = Counter(self.version(session) for session in sessions)
        unscored = versions.pop(None, 0)
        standing = CHAMPION if self.name == CHAMPION else "by version"
        if self.is_provisional(sessions):
            standing = PROVISIONAL
        if self.learnt(sessions):
            standing = IN_SAMPLE
        return {
            "name": self.name,
            "standing": standing,
            "versions": dict(versions),
            "unscored": unscored,
        }

    def _loaded(self, version: str) -> tuple[ScorerModel, Scorer]:
        try:
            stored = registry.load(self.root, KIND, version)
        except MissingDataError as reason:
            raise DamagedError(f"scorer {version} is not in {self.root}", RESTORE) from reason
        model = ScorerModel.from_files(stored.files)
        _require_own_trees(model, f"{KIND} {version}")
        return model, scorer_of(model)

    def require_whole(self, sessions: Sequence[dt.date], underlying: str) -> None:
        """Load every version these sessions need, so that none is refused in mid-run."""
        for version in sorted({self.version(session) or "" for session in sessions} - {""}):
            model, _ = self._model(version)
            if self.name != CHAMPION:
                model.require(underlying)


def scorer_named(
    root: Path,
    name: str | None,
    sessions: Sequence[dt.date],
    underlying: str,
    *,
    in_sample: bool = False,
) -> ServedScorer | None:
    """Return what ``--scorer champion|none|VERSION`` means for some sessions; None for none.

    `MissingDataError` for a champion where none was ever promoted, `DamagedError` for a version
    that is not there, not whole, or made for other features, `InputError` for an exact version on
    sessions it has learnt from unless ``in_sample``.
    """
    if name in (None, "none"):
        return None
    if name == CHAMPION:
        if registry.aliases(root, KIND)[CHAMPION] is None:
            raise MissingDataError(
                f"no scorer was ever promoted in {root}",
                "optiq models ls; a version can be asked for by its number, as provisional",
            )
        served = ServedScorer(root)
    else:
        served = ServedScorer(root, registry.resolve(root, KIND, str(name)))
    served.require_whole(sessions, underlying)
    learnt = served.learnt(sessions)
    if learnt and not in_sample:
        raise InputError(
            f"scorer {served.name} has learnt from {len(learnt)} of these {len(sessions)} sessions "
            f"(up to {learnt[-1]})",
            "give later days, or --in-sample to see what is no evidence",
        )
    return served


def _require_own_trees(model: ScorerModel, what: str) -> None:
    """Refuse trees that LightGBM cannot read, or that were grown on other features."""
    from lightgbm.basic import LightGBMError

    try:
        names = model.booster.feature_name()
    except LightGBMError as reason:
        raise DamagedError(f"{what}: its trees cannot be read: {reason}", RESTORE) from reason
    if names != list(NAMES):
        raise DamagedError(f"{what}: its trees were grown on other features", RESTORE)
