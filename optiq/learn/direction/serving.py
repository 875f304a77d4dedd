"""Serve a direction model to a run: point in time, verified first, never out of its market."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from optiq.errors import InputError
from optiq.learn import registry
from optiq.learn.direction.model import DirectionModel, read_bundle
from optiq.learn.direction.windows import LENGTH, seen_of
from optiq.learn.serving import CHAMPION, Served
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray
from optiq.trade.strategies import BUILT_IN, Strategy

KIND, NONE = "direction", "none"


class ServedDirection(Served):
    """The direction models of a registry as one callable, `optiq.run.seeing.SinceRow`."""

    kind = KIND

    def __init__(self, root: Path, name: str = CHAMPION) -> None:
        super().__init__(root, name)
        self._model = lru_cache(maxsize=4)(self._loaded)

    def __call__(self, panel: Panel, context: Context) -> FloatArray | None:
        """Return (n_rows, 3) for a day's chain rows; None where no model serves that session."""
        return self.since(panel, context, 0)

    def since(self, panel: Panel, context: Context, first_row: int) -> FloatArray | None:
        """Return what is said of the rows from ``first_row`` on: the bits of asking for all."""
        model = self.model_for(panel.underlying, panel.date)
        if model is None:
            return None
        seen = seen_of(panel, context, max(0, first_row - LENGTH + 1))
        return model.of_day(seen, first_row)[first_row:]

    def threshold(self, panel: Panel) -> float:
        """Return the confidence that the session's model acts from; NaN without one."""
        model = self.model_for(panel.underlying, panel.date)
        return np.nan if model is None else model.acts_from

    def model_for(self, underlying: str, session: dt.date) -> DirectionModel | None:
        """Return the model that tells a session of an underlying; None where none serves.

        `InputError` where an exact version has not learnt that underlying: the champion is silent
        there.
        """
        version = self.version(session)
        if version is None:
            return None
        model, underlyings = self._model(version)
        if underlying in underlyings:
            return model
        if self.name == CHAMPION:
            return None
        raise InputError(
            f"direction {version} has learnt {', '.join(underlyings)}, not {underlying}",
            "give another version, or --direction none",
        )

    def require_whole(self, sessions: Sequence[dt.date], underlying: str) -> None:
        """Load every version these sessions need, so that none is refused in mid-run."""
        for session in sessions:
            self.model_for(underlying, session)

    def _loaded(self, version: str) -> tuple[DirectionModel, tuple[str, ...]]:
        stored = registry.load(self.root, KIND, version)
        bundle = read_bundle(stored.files, f"{KIND} {stored.version}")
        return bundle.speaks, tuple(stored.card["underlyings"])


def direction_named(
    root: Path,
    name: str | None,
    strategies: Sequence[Strategy] = (),
    sessions: Sequence[dt.date] = (),
    underlying: str = "",
    *,
    in_sample: bool = False,
) -> ServedDirection | None:
    """Return what ``--direction champion|none|VERSION`` means for some sessions; None for none.

    Not given, it is the champion if there ever was one and one of the strategies may listen.
    `DamagedError` for a version that is not whole, `InputError` for a name that is no version, for
    an underlying that an exact version has not learnt, and for sessions it has learnt from unless
    ``in_sample``: here, and not in mid-run.
    """
    listeners = [s for s in strategies if s.name not in BUILT_IN or s.name == "quantum_edge"]
    if name == NONE or (name is None and not listeners):
        return None
    version = CHAMPION if name in (None, CHAMPION) else registry.resolve(root, KIND, str(name))
    if version == CHAMPION and registry.aliases(root, KIND)[CHAMPION] is None:
        if name is None:
            return None
        raise InputError(
            f"no direction model was ever promoted in {root}",
            "see optiq models ls, or give --direction none",
        )
    registry.load(root, KIND, version)
    served = ServedDirection(root, version)
    served.require_whole(sessions, underlying)
    if not in_sample:
        served.require_unseen(sessions)
    return served
