"""What a file's name and folders tell when its bytes do not: underlying, expiry, moment."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from optiq.errors import InputError
from optiq.market.ingest.batch import ReadOptions
from optiq.market.ingest.numbers import Moment, at_zone, day, moment, time_of_day
from optiq.market.schema import UNDERLYINGS

_DAY = r"\d{4}[-_]?\d{2}[-_]?\d{2}|\d{1,2}-\d{2}-\d{4}|\d{1,2}-?[A-Za-z]{3}-?\d{4}"
_UNDERLYING = re.compile(rf"(?<![A-Z])({'|'.join(UNDERLYINGS)})(?![A-Z])")
_EXPIRY_IN_NAME = re.compile(rf"(?:ED-[A-Z]+-|expiry(?:[-_ ]?day)?[-_= ])({_DAY})(?!\d)", re.I)
_EXPIRY_FOLDER = re.compile(r"\d{1,2}-?[A-Za-z]{3}-?\d{4}", re.ASCII)
_SESSION_FOLDER = re.compile(  # a bare date with a month in letters is an expiry instead
    rf"(?:.*expiry[-_ ]?day[-_= ]|.*date[-_=]|(?!.*[a-z]))({_DAY})", re.I | re.ASCII
)
_TIME = (  # 0915, 091507, 09-15, 9_5 and 09:15:07, but never 1_1 out of 11_11
    r"(?=\d{1,2}[-_:]|\d{4}(?:\d{2})?(?!\d))(?P<hour>\d{1,2})(?P<dash>[-_:])?"
    r"(?P<minute>(?(dash)\d{1,2}|\d{2}))(?:(?(dash)(?P=dash))(?P<second>\d{2}))?"
)
_MOMENT_IN_NAME = re.compile(
    rf"(?<![0-9A-Za-z])(?P<day>{_DAY})[-_T ]+{_TIME}"
    r"(?P<zone>Z|[+-]\d{2}[-:]?\d{2})?(?![0-9:]|\.[0-9])",
    re.ASCII,
)
_TIME_IN_NAME = re.compile(rf"(?:.*[A-Za-z])?[-_ ]*{_TIME}", re.ASCII)


def underlying_of(path: Path, options: ReadOptions) -> str:
    """Return ``--underlying``, else the one index the file's name mentions."""
    if options.underlying:
        return options.underlying
    named = set(_UNDERLYING.findall(path.name.upper()))
    if len(named) != 1:
        raise InputError(
            f"{path} does not say whose options these are", "say so, as in --underlying NIFTY"
        )
    return str(named.pop())


def expiry_of(path: Path, options: ReadOptions) -> np.datetime64:
    """Return ``--expiry``, else the expiry in the file's name or in a folder's.

    A name tells it as ``ED-NIFTY-28-Apr-2026`` or ``expiry_2026-04-28``; a folder also by being
    nothing but a date with a month in letters, such as ``13JUN2019``.
    """
    if options.expiry is not None:
        return _day_or_refuse(options.expiry, "--expiry")
    for name in (path.name, *_folders(path)):
        match = _EXPIRY_IN_NAME.search(name)
        text = match[1] if match else name
        if match or (name != path.name and _EXPIRY_FOLDER.fullmatch(name)):
            return _day_or_refuse(text.replace("_", "-"), f"{path}: expiry in {name}")
    raise InputError(
        f"{path} does not say which expiry it holds", "say so, as in --expiry 2026-04-28"
    )


def moment_of(path: Path, options: ReadOptions) -> Moment:
    """Return when the quotes of a document without a clock were observed.

    ``--at`` decides (IST unless it carries an offset); else a date and time in the file's name;
    else a time in the name on the day ``--at`` or a folder gives. Never the file's own age.
    """
    said = _said(options)
    if said is not None and said.clock != "unknown":
        return said
    named = None if said else _moment_in_name(path)
    if named is not None:
        return named
    session = said.time.astype("datetime64[D]") if said else _session_of_folder(path)
    time = _time_in_name(path)
    if session is None or time is None:
        missing = "at what time" if session is not None else "on which day"
        raise InputError(
            f"{path} does not say {missing} it was recorded",
            'say so, as in --at "2026-04-13 10:15"',
        )
    return Moment(session + time, "unknown")


def _said(options: ReadOptions) -> Moment | None:
    """Return what ``--at`` says; the clock is "unknown" where it says a day only."""
    if options.at is None:
        return None
    try:
        return Moment(day(options.at).astype("datetime64[us]"), "unknown")
    except ValueError:
        pass
    try:
        found = moment(options.at)
    except ValueError as error:
        raise InputError(f"--at: {error}") from error
    return found if found.clock == "UTC" else Moment(found.time, "IST")


def _moment_in_name(path: Path) -> Moment | None:
    for match in _MOMENT_IN_NAME.finditer(path.name):
        try:
            time = time_of_day(match["hour"], match["minute"], match["second"] or "0")
            return at_zone(day(match["day"].replace("_", "-")) + time, match["zone"])
        except ValueError:
            continue
    return None


def _time_in_name(path: Path) -> np.timedelta64 | None:
    match = _TIME_IN_NAME.fullmatch(re.sub(_DAY, "", path.name.split(".")[0]))
    if match is None:
        return None
    try:
        return time_of_day(match["hour"], match["minute"], match["second"] or "0")
    except ValueError:
        return None


def _session_of_folder(path: Path) -> np.datetime64 | None:
    for name in _folders(path):
        if match := _SESSION_FOLDER.fullmatch(name):
            try:
                return day(match[1].replace("_", "-"))
            except ValueError:
                continue
    return None


def _folders(path: Path) -> tuple[str, ...]:
    """Return the two nearest folders' names; further up, a date means something else."""
    return tuple(parent.name for parent in path.absolute().parents[:2])


def _day_or_refuse(text: str, where: str) -> np.datetime64:
    try:
        return day(text)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error
