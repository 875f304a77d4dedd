"""Whether the exchange listed what an old ledger says was traded."""

from __future__ import annotations

import datetime as dt

from optiq.errors import RuleError
from optiq.market.contracts import known_expiries, require_expiry, usual_strike_step
from optiq.market.ingest.symbols import Option
from optiq.run.old_ledger import words
from optiq.run.recorded_quotes import DayQuotes


def why_unlisted(option: Option, on: dt.date, day: DayQuotes | None) -> str:
    """Return in words why a contract cannot have been traded on a day; "" where it can.

    The recorded chain outranks the dated rules; where neither can tell, nothing is held against it.
    """
    expiry: dt.date = option.expiry.astype("datetime64[D]").item()
    if day is not None and day.column(option) is not None:
        return ""
    if expiry < on:
        return f"{words(option)} had expired by {on}"
    if day is not None and len(day.strikes(option.expiry)):
        step = day.strike_step(option)
        return _off_step(option, step) if day.is_between_strikes(option) else ""
    return _against_the_rules(option, on)


def _against_the_rules(option: Option, on: dt.date) -> str:
    expiry: dt.date = option.expiry.astype("datetime64[D]").item()
    try:
        known_expiries(option.underlying, on)
        step = float(usual_strike_step(option.underlying, on)["step"])
    except RuleError:
        return ""
    try:
        require_expiry(option.underlying, expiry, on)
    except RuleError as reason:
        return f"{reason} ({reason.hint})"
    return _off_step(option, step) if option.strike % step else ""


def _off_step(option: Option, step: float) -> str:
    return f"no {words(option)}: its strikes lie {step:g} apart"
