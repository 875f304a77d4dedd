"""The features of one moment of a stored day, as a person asks for them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from optiq.errors import InputError, MissingDataError
from optiq.market import calendar
from optiq.market.feature_table import CONTRACT_FEATURES, MARKET_FEATURES, Feature
from optiq.market.features import FeatureDay, contracts_of, market_of
from optiq.market.panel import Panel
from optiq.market.schema import CE, PE, RIGHT_NAMES, BoolArray
from optiq.market.store import Store
from optiq.run.stored import sessions


@dataclass(frozen=True, slots=True)
class Contract:
    """What a person calls a contract; without an expiry, that of the nearest live one."""

    strike: float
    right: int
    expiry: dt.date | None = None

    @property
    def words(self) -> str:
        """Return it as written: ``24500 CE 2025-11-25``."""
        day = "" if self.expiry is None else f" {self.expiry}"
        return f"{self.strike:g} {RIGHT_NAMES[self.right]}{day}"


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """The features of one chain row, UTC time ``ts``; values NaN where unknown."""

    ts: np.datetime64
    contract: Contract | None
    values: tuple[tuple[Feature, float], ...]


def contract_of(text: str, expiry: dt.date | None = None) -> Contract:
    """Read ``24500 CE``.

    >>> contract_of("24500 ce").words
    '24500 CE'
    """
    rights = {"CE": CE, "PE": PE}
    strike, _, right = text.strip().upper().partition(" ")
    try:
        return Contract(float(strike), rights[right.strip()], expiry)
    except (ValueError, KeyError):
        raise InputError(f"{text!r} is no contract", 'write it like "24500 CE"') from None


def feature_row(
    store: Store,
    underlying: str,
    date: dt.date,
    at_minute: float | None = None,
    contract: Contract | None = None,
) -> FeatureRow:
    """Return the features of the last snapshot at or before an IST minute, or of the day.

    The market's, and after them those of ``contract`` if one is given.
    """
    (day,) = sessions(store, underlying, date, date)
    panel = store.read_panel(underlying, day)
    row = _row_at(panel, at_minute)
    features = FeatureDay(panel, store.context(underlying, day), row)
    values = list(zip(MARKET_FEATURES, market_of(features)[row].tolist(), strict=True))
    if contract is not None:
        column = _column_of(features, contract)
        contract = Contract(contract.strike, contract.right, panel.expiry[column].item())
        found = contracts_of(features, np.array([row]), np.array([column]))
        values += zip(CONTRACT_FEATURES, found[0].tolist(), strict=True)
    return FeatureRow(panel.ts[row], contract, tuple(values))


def _row_at(panel: Panel, at_minute: float | None) -> int:
    last = panel.close_minute if at_minute is None else at_minute
    rows = np.flatnonzero(panel.is_chain & (panel.minute <= last))
    if not len(rows):
        first = calendar.clock(float(panel.minute[panel.is_chain].min()))
        raise MissingDataError(
            f"no snapshot of {panel.underlying} on {panel.date} by {calendar.clock(last)}",
            f"the first is at {first}",
        )
    return int(rows[-1])


def _column_of(day: FeatureDay, contract: Contract) -> int:
    """Return the column of a contract, which that row or one before it must quote."""
    panel, near = day.panel, int(day.near[day.start])
    if contract.expiry is None and near < 0:
        raise MissingDataError(
            "no expiry with an hour to live is quoted then", "name one: --expiry"
        )
    expiry = panel.expiries[near] if contract.expiry is None else np.datetime64(contract.expiry)
    known = (panel.expiry == expiry) & (panel.right == contract.right) & (day.first <= day.start)
    columns = np.flatnonzero(known & (panel.strike == contract.strike))
    if len(columns):
        return int(columns[0])
    wanted = Contract(contract.strike, contract.right, expiry.item()).words
    raise MissingDataError(f"no {wanted} has been quoted by then", _quoted(panel, known))


def _quoted(panel: Panel, known: BoolArray) -> str:
    if not known.any():
        return f"expiries are {', '.join(map(str, panel.expiries))}"
    strikes = panel.strike[known]
    return f"strikes are {strikes.min():g} to {strikes.max():g}"
