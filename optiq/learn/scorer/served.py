"""Serve a scorer to a run: point in time, verified first, and plain about what it may have seen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from optiq.errors import DamagedError, MissingDataError
from optiq.learn import registry
from optiq.learn.scorer.fit import NAMES
from optiq.learn.scorer.model import KIND, ScorerModel
from optiq.learn.scorer.serving import scorer_of
from optiq.learn.serving import CHAMPION, Served
from optiq.learn.version_folder import RESTORE
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray
from optiq.run.asking import Scorer
from optiq.trade.orders import Orders


class ServedScorer(Served):
    """The scorers of a registry as one callable."""

    kind = KIND

    def __init__(self, root: Path, name: str = CHAMPION) -> None:
        super().__init__(root, name)
        self._model = lru_cache(maxsize=4)(self._loaded)

    def __call__(self, panel: Panel, context: Context, orders: Orders) -> FloatArray | None:
        """Return (n_orders,) scores of a day's chain rows; None where none serves that session."""
        version = self.version(panel.date)
        if version is None:
            return None
        model, score = self._model(version)
        if self.name == CHAMPION and panel.underlying not in model.question.underlyings:
            return None
        return score(panel, context, orders)

    def told(self, sessions: Sequence[dt.date]) -> dict[str, Any]:
        """Return what a run's summary says of it; ``unscored`` sessions had no scorer yet."""
        told = super().told(sessions)
        unscored = told.pop("unserved")
        return {**told, "unscored": unscored}

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
        for version in self.versions(sessions):
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
    if not in_sample:
        served.require_unseen(sessions)
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
