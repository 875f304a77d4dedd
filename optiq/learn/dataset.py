"""What a scorer learns from: the features of each possible purchase beside what it came to."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np

from optiq import __version__
from optiq.errors import DamagedError
from optiq.learn import dataset_file
from optiq.learn.dataset_file import Columns
from optiq.learn.labels import exit_rule, labels
from optiq.learn.scorer.fit import NAMES, Examples
from optiq.learn.scorer.model import feature_hash
from optiq.learn.scorer.serving import features_of
from optiq.market.context import Context
from optiq.market.manifest import DayManifest
from optiq.market.schema import PRICES, AnyArray, BoolArray, FloatArray, IntArray, TimeArray
from optiq.market.store import Store, context_of
from optiq.run.backtest import Settings
from optiq.trade.charges import schedule
from optiq.trade.strategies import Strategy
from optiq.trade.tradability import Tradable

SCHEMA = 1
"""Raised when features or labels come out otherwise though every setting is the same."""

FOLDER = "datasets"
MOST_ROWS = 400_000
"""More teach little: rows a minute apart share most of their label's path."""


@dataclass(frozen=True)
class Dataset:
    """Labelled rows in order of underlying, session, row and contract.

    Attributes
    ----------
    features : (n, 34) float32
        In the order of the feature table, NaN where unknown.
    ts, entry_ts, label_end : (n,) datetime64[us]
        When it was decided, filled, and left; UTC.
    session : (n,) datetime64[D]
    underlying : (n,) text
    expiry, strike, right : (n,)
        The contract: date, rupees, +1 call / -1 put.
    net_pnl, r : (n,) float
        Rupees of one lot after charges, and the same in units of what the stop risked.
    weight : (n,) float
        Uniqueness, see `labels.Labels`.
    dropped
        Purchases without a label, by reason, over all moments, taken or not.
    every
        Of so many moments one was taken.
    sha256
        Digest of the days' content and of every rule the numbers come from.
    """

    features: AnyArray
    ts: TimeArray
    entry_ts: TimeArray
    label_end: TimeArray
    session: TimeArray
    underlying: AnyArray
    expiry: TimeArray
    strike: FloatArray
    right: IntArray
    net_pnl: FloatArray
    r: FloatArray
    weight: FloatArray
    dropped: Mapping[str, int]
    every: int
    sha256: str

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def won(self) -> BoolArray:
        """(n,) whether the purchase made money after charges."""
        made: BoolArray = self.net_pnl > 0
        return made

    def examples(self, rows: IntArray) -> Examples:
        """Return rows to learn from; their weights have a mean of 1."""
        weight, n_sessions = self.weight[rows], len(np.unique(self.session[rows]))
        return Examples(self.features[rows], self.won[rows], weight / weight.mean(), n_sessions)

    def take(self, rows: AnyArray) -> Dataset:
        """Return some of the rows."""
        arrays = [f.name for f in fields(self) if isinstance(getattr(self, f.name), np.ndarray)]
        return replace(self, **{name: getattr(self, name)[rows] for name in arrays})


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides a day's rows beside its quotes: whose exit rule, and how orders meet quotes."""

    strategy: Strategy
    settings: Settings

    def __post_init__(self) -> None:
        exit_rule(self.strategy)

    def to_json(self) -> dict[str, object]:
        """Return plain JSON of everything the rows depend on; an exit that is off is null."""
        exits = {n: None if np.isnan(v) else v for n, v in asdict(exit_rule(self.strategy)).items()}
        band = {f.name: getattr(self.strategy.params, f.name) for f in fields(Tradable)}
        return {
            "schema": SCHEMA,
            "optiq": __version__,
            "features": feature_hash(),
            "rule": self.strategy.name,
            "exits": exits,
            "tradable": band,
            "walk": {**asdict(self.settings.walk), "lots": 1},
            "charges": {name: str(value) for name, value in asdict(self.settings.broker).items()},
        }

    @property
    def sha256(self) -> str:
        """Digest of the recipe."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()


def dataset(
    store: Store,
    days: Sequence[DayManifest],
    recipe: Recipe,
    *,
    most_rows: int = MOST_ROWS,
    advance: Callable[[int], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> Dataset:
    """Return the labelled rows of stored days, from their caches where those still hold.

    With more than ``most_rows`` every second (third, ...) moment of each day is taken. ``advance``
    is told of each day, ``say`` of each damaged cache that was made anew.
    """
    known = {name: context_of(store.days(name)) for name in {day.underlying for day in days}}
    caches = [_Cache(store, recipe, day, known[day.underlying].before(day.date)) for day in days]
    n_rows = 0
    for cache in caches:
        n_rows += cache.ensure(say)
        advance(1)
    every = max(1, -(-n_rows // most_rows))
    read = [cache.read(say, every) for cache in caches]
    digest = hashlib.sha256(" ".join([str(every), *(c.key for c in caches)]).encode()).hexdigest()
    dropped = sum((Counter(part) for _, part in read), Counter[str]())
    return _joined(caches, [columns for columns, _ in read], dropped, every, digest)


class _Cache:
    """The labelled rows of one day: on disk if they still hold, else made."""

    def __init__(self, store: Store, recipe: Recipe, day: DayManifest, context: Context) -> None:
        self.store, self.recipe, self.day, self.context = store, recipe, day, context
        self.key = _key(recipe, day, self.context)

    @property
    def path(self) -> Path:
        """Where the file lies; another recipe has another."""
        place = f"underlying={self.day.underlying}/date={self.day.date}"
        return self.store.root / FOLDER / place / f"{self.recipe.sha256[:16]}.parquet"

    def ensure(self, say: Callable[[str], None]) -> int:
        """Make the file unless it is there, and return how many rows it has."""
        try:
            there = dataset_file.rows_of(self.path, self.key)
        except DamagedError as reason:
            say(f"{reason}: made anew")
            there = None
        return self._make() if there is None else there

    def read(self, say: Callable[[str], None], every: int) -> tuple[Columns, dict[str, int]]:
        """Return the rows of every so manieth moment, and what was dropped of all."""
        try:
            columns, dropped = dataset_file.read(self.path)
        except DamagedError as reason:
            say(f"{reason}: made anew")
            self._make()
            columns, dropped = dataset_file.read(self.path)
        return _thinned(columns, every), dropped

    def _make(self) -> int:
        panel = self.store.read_panel(self.day.underlying, self.day.date, PRICES)
        found = labels(panel, self.recipe.strategy, self.recipe.settings)
        features = features_of(panel, self.context, found.row, found.contract)
        columns: Columns = {
            "row": found.row.astype(np.int32),
            "ts": panel.ts[found.row],
            "entry_ts": found.entry_ts,
            "label_end": found.label_end,
            "expiry": panel.expiry[found.contract],
            "strike": panel.strike[found.contract],
            "right": panel.right[found.contract].astype(np.int8),
            "net_pnl": found.net_pnl,
            "r": found.r,
            "weight": found.weight,
            **{name: features[:, k] for k, name in enumerate(NAMES)},
        }
        dataset_file.write(self.path, self.key, columns, found.dropped)
        return len(found)


def _key(recipe: Recipe, day: DayManifest, context: Context) -> str:
    """Return the digest of all the rows come from: quotes, earlier days, rules, charges."""
    rates = schedule(day.underlying, day.date, recipe.settings.broker).rates
    digest = hashlib.sha256(f"{recipe.sha256} {day.content_id} {tuple(rates)}".encode())
    for values in (context.sessions.astype(np.int64), context.closes, context.atm_iv):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _thinned(columns: Columns, every: int) -> Columns:
    """Return the rows of every so manieth moment of a day, from its first."""
    if every == 1:
        return columns
    _, moment = np.unique(columns["row"], return_inverse=True)
    kept = moment % every == 0
    return {name: values[kept] for name, values in columns.items()}


def _joined(
    caches: Sequence[_Cache],
    parts: Sequence[Columns],
    dropped: Mapping[str, int],
    every: int,
    digest: str,
) -> Dataset:
    lengths = [len(part["row"]) for part in parts]

    def joined(name: str) -> AnyArray:
        return np.concatenate([part[name] for part in parts])

    features = np.empty((sum(lengths), len(NAMES)), np.float32)
    for column, name in enumerate(NAMES):
        features[:, column] = joined(name)
    own = ("ts", "entry_ts", "label_end", "expiry", "strike", "right", "net_pnl", "r", "weight")
    return Dataset(
        features=features,
        session=np.repeat(np.array([c.day.date for c in caches], "datetime64[D]"), lengths),
        underlying=np.repeat(np.array([c.day.underlying for c in caches]), lengths),
        dropped=dict(dropped),
        every=every,
        sha256=digest,
        **{name: joined(name) for name in own},
    )
