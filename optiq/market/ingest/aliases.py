"""What vendors call the store's columns, in long tables and in wide call-and-put ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from optiq.errors import InputError
from optiq.market.schema import FIELDS, PRICES

_SPELLINGS = {
    "ts": "ts timestamp datetime date_time quote_time quote_ts snapshot_time snapshot_ts fetch_time"
    " time_stamp exchange_timestamp exch_timestamp last_update_time as_of",
    "received_ts": "received_ts received_at receive_time collection_timestamp collected_at"
    " fetched_at ingested_at local_timestamp",
    "underlying": "underlying underlying_symbol index_name index root name symbol",
    "expiry": "expiry expiry_date expirydate exp_date exp expiration expiration_date",
    "strike": "strike strike_price strikeprice strike_rate",
    "right": "right option_type optiontype opt_type call_put callput cp cepe ce_pe pcflag"
    " instrument_type option type",
    "ltp": "ltp last_price lastprice last_traded_price last lasttradedprice price close",
    "bid": "bid bid_price bidprice best_bid best_bid_price top_bid_price bid_rate buy_price",
    "ask": "ask ask_price askprice best_ask best_ask_price top_ask_price offer offer_price"
    " sell_price",
    "bid_qty": "bid_qty bidqty bid_quantity bid_size best_bid_qty top_bid_quantity buy_qty",
    "ask_qty": "ask_qty askqty ask_quantity ask_size best_ask_qty top_ask_quantity sell_qty"
    " offer_qty",
    "volume": "volume vol total_traded_volume totaltradedvolume traded_volume total_volume ttv"
    " contracts_traded",
    "oi": "oi open_interest openinterest open_int",
    "oi_change": "oi_change oi_chg change_in_oi chng_in_oi chg_oi chg_in_oi changeinopeninterest"
    " change_in_open_interest coi oichange oi_chng",
    "iv": "iv implied_volatility impliedvolatility implied_vol impliedvol",
    "delta": "delta",
    "gamma": "gamma",
    "theta": "theta",
    "vega": "vega",
    "spot": "spot spot_price spotprice underlying_price underlying_value underlyingvalue"
    " index_price underlying_ltp underlying_spot",
    "oi_unit": "oi_unit",
}
ALIASES = {ours: tuple(theirs.split()) for ours, theirs in _SPELLINGS.items()}

_SIDE_WORDS = {"ce": 1, "call": 1, "calls": 1, "pe": -1, "put": -1, "puts": -1}
_KEYS = ("ts", "strike")


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which of a table's columns is which of ours.

    ``shared`` maps ours to theirs; a wide table has its per-side fields in ``call`` and ``put``.
    """

    shared: dict[str, str]
    call: dict[str, str]
    put: dict[str, str]

    @property
    def is_wide(self) -> bool:
        """Whether one line of the table holds a call and a put."""
        return bool(self.call)

    def fields(self) -> set[str]:
        """Return the names of ours that the table has."""
        return set(self.shared) | set(self.call) | set(self.put)

    def theirs(self) -> list[str]:
        """Return the columns to read."""
        used = (*self.shared.values(), *self.call.values(), *self.put.values())
        return list(dict.fromkeys(used))


def plain(name: str) -> str:
    """Return a header in lower case with single underscores.

    >>> plain(" Strike Price "), plain("OI(Chg)"), plain("lastPrice")
    ('strike_price', 'oi_chg', 'lastprice')
    """
    return re.sub(r"[^a-z0-9%]+", "_", name.strip().lower()).strip("_")


def named(headers: Iterable[str], aliases: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Return which of a table's headers stands for each of ours; earlier aliases come first.

    >>> named([" Qty.", "Trade ID"], {"quantity": ("quantity", "qty"), "side": ("side",)})
    {'quantity': ' Qty.'}
    """
    return _match(_by_plain(headers), aliases)


def column_map(names: Iterable[str], given: Mapping[str, str] | None = None) -> ColumnMap:
    """Match a table's headers with ours; ``given`` (ours to theirs) outranks every alias."""
    given = given or {}
    headers = list(names)
    _check_given(given, headers)
    by_plain = _by_plain(headers)
    sides = {1: _side_fields(by_plain, 1), -1: _side_fields(by_plain, -1)}
    is_wide = bool(set(sides[1]) & set(sides[-1]) & set(FIELDS)) and "right" not in given
    of_sides = (*FIELDS, "right") if is_wide else ()
    shared = _match(by_plain, {n: words for n, words in ALIASES.items() if n not in of_sides})
    shared |= given
    call, put = (sides[1], sides[-1]) if is_wide else ({}, {})
    return ColumnMap(shared, call, put)


def missing_columns(found: ColumnMap) -> list[str]:
    """Return the columns without which a table is no option chain."""
    keys = _KEYS if found.is_wide else (*_KEYS, "right")
    missing = [name for name in keys if name not in found.fields()]
    if not found.fields() & set(PRICES):
        missing.append("a price (ltp, or bid and ask)")
    return missing


def _check_given(given: Mapping[str, str], headers: list[str]) -> None:
    for ours, theirs in given.items():
        if ours not in ALIASES:
            raise InputError(
                f"--map: {ours!r} is no column of ours", f"known are {', '.join(ALIASES)}"
            )
        if theirs not in headers:
            raise InputError(
                f"--map: the table has no column {theirs!r}", f"it has {', '.join(headers)}"
            )


def _by_plain(headers: Iterable[str]) -> dict[str, str]:
    return {plain(name): name for name in reversed(list(headers))}


def _match(by_plain: Mapping[str, str], aliases: Mapping[str, Iterable[str]]) -> dict[str, str]:
    found = {}
    for ours, words in aliases.items():
        theirs = next((by_plain[word] for word in words if word in by_plain), None)
        if theirs is not None:
            found[ours] = theirs
    return found


def _side_fields(by_plain: Mapping[str, str], side: int) -> dict[str, str]:
    bare = {}
    for header, name in by_plain.items():
        for word in (word for word, sign in _SIDE_WORDS.items() if sign == side):
            if header.startswith(f"{word}_"):
                bare[header[len(word) + 1 :]] = name
            elif header.endswith(f"_{word}"):
                bare[header[: -len(word) - 1]] = name
    return _match(bare, {name: ALIASES[name] for name in FIELDS})
