"""Serve a policy to a run: point in time, verified first, and random before there is one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from optiq.errors import DamagedError, InputError, MissingDataError
from optiq.learn import registry
from optiq.learn.policy.bundle import KIND, Bundle, read_bundle
from optiq.learn.policy.choosers import chosen
from optiq.learn.serving import CHAMPION, Served
from optiq.learn.version_folder import RESTORE
from optiq.market.schema import BoolArray, FloatArray
from optiq.run.choosing import MODEL, Acting, Choice, Chooser, Policy, chooser_named, one_hot
from optiq.trade.strategies import Strategy


class ServedPolicy(Served):
    """The policies of a registry, `optiq.run.choosing.Policies`.

    ``rules`` is the `optiq.run.episodes.walk_hash` of the run, empty where it does not matter.
    """

    kind = KIND

    def __init__(self, root: Path, name: str = CHAMPION, rules: str = "") -> None:
        super().__init__(root, name)
        self.rules = rules
        self._model = lru_cache(maxsize=4)(self._loaded)

    def on(self, underlying: str, session: dt.date) -> Acting | None:
        """Return who chooses on a session; None before the first promotion."""
        version = self.version(session)
        if version is None:
            return None
        self._require_learnt(version, underlying)
        bundle = self.bundle(version)
        return Acting(MODEL + version, preferring(bundle), bundle.remembers)

    def bundle(self, version: str) -> Bundle:
        """Return a version, read and checked once."""
        return self._model(version)

    def told(self, sessions: Sequence[dt.date]) -> dict[str, Any]:
        """Return what a run's summary says of it.

        On ``random`` sessions none was in force yet; ``other_rules`` are the versions that learnt
        under other settings of the walk, the charges or the strategies than the run's.
        """
        told = super().told(sessions)
        at_random, learnt = told.pop("unserved"), self.versions(sessions)
        other = [v for v in learnt if self.rules and self.bundle(v).about.walk_hash != self.rules]
        return {**told, "random": at_random, "other_rules": other}

    def require_whole(
        self, sessions: Sequence[dt.date], underlying: str, strategies: Sequence[Strategy]
    ) -> None:
        """Load every version these sessions need, so that none is refused in mid-run."""
        names = tuple(strategy.name for strategy in strategies)
        for version in self.versions(sessions):
            self._require_learnt(version, underlying)
            learnt = self.bundle(version).about.strategies
            if names != learnt:
                raise InputError(
                    f"policy {version} chooses among {', '.join(learnt)}, and this run has "
                    f"{', '.join(names)}",
                    "leave --strategy away, or give --policy random, equal or a strategy's name",
                )

    def _require_learnt(self, version: str, underlying: str) -> None:
        learnt = self.bundle(version).about.underlyings
        if underlying not in learnt:
            raise InputError(
                f"policy {version} has learnt {', '.join(learnt)}, not {underlying}",
                "train one on its episodes, or give --policy random",
            )

    def _loaded(self, version: str) -> Bundle:
        try:
            stored = registry.load(self.root, KIND, version)
        except MissingDataError as reason:
            raise DamagedError(f"policy {version} is not in {self.root}", RESTORE) from reason
        return read_bundle(stored.files, f"{KIND} {version}", rivals=False)


def preferring(bundle: Bundle) -> Policy:
    """Return who chooses the most preferred possible strategy, always, or stands aside."""
    width = len(bundle.about.observed)

    def choose(observation: FloatArray, mask: BoolArray, rng: np.random.Generator) -> Choice:
        last = observation[None, width:] if bundle.remembers else None
        preferences = bundle.preferences(observation[None, :width], last)
        index = int(chosen(preferences, mask[None])[0])
        return Choice(index, preferences[0], one_hot(index, len(mask))[:-1])

    return choose


def policy_named(
    root: Path,
    name: str | None,
    strategies: Sequence[Strategy],
    seed: int,
    sessions: Sequence[dt.date],
    underlying: str,
    *,
    in_sample: bool = False,
    rules: str = "",
) -> Chooser | None:
    """Return what ``--policy champion|random|equal|NAME|VERSION|none`` means for some sessions.

    A champion serves from the session that its promotion took effect on; before it, and where none
    was ever promoted, the choice is random. `DamagedError` for a version that is not there or not
    whole, `InputError` for an underlying, strategies or sessions it must not serve, the last
    unless ``in_sample``.
    """
    if name in (None, "none"):
        return None
    if name != CHAMPION and not _is_version(str(name)):
        return chooser_named(str(name), strategies, seed)
    version = str(name).removeprefix(MODEL)
    if version != CHAMPION:
        version = registry.resolve(root, KIND, version)
    served = ServedPolicy(root, version, rules)
    served.require_whole(sessions, underlying, strategies)
    if not in_sample:
        served.require_unseen(sessions)
    return Chooser(CHAMPION if version == CHAMPION else MODEL + version, served, seed)


def served_by(chooser: Chooser | None) -> ServedPolicy | None:
    """Return the policies of the registry behind a chooser; None for any other."""
    policy = chooser.policy if chooser else None
    return policy if isinstance(policy, ServedPolicy) else None


def _is_version(name: str) -> bool:
    return name.startswith(MODEL) or name in registry.ALIASES or name[:1].isdecimal()
