"""Numbers, days, moments and contracts as exchanges, brokers and file names write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optiq.errors import InputError
from optiq.market.ingest.batch import ReadOptions
from optiq.market.ingest.naming import expiry_of, moment_of, underlying_of
from optiq.market.ingest.numbers import day, moment, number, numbers
from optiq.market.ingest.symbols import option_of_symbol

NAN = float("nan")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("20,17,860", 2017860.0),
        ("2,017,860.5", 2017860.5),
        ("-1,250", -1250.0),
        (" -4.70 ", -4.7),
        ("209.52K", 209520.0),
        ("1.51M", 1510000.0),
        ("2.5Cr", 25000000.0),
        (".05", 0.05),
        ("6E2", 600.0),
        ("-", NAN),
        ("", NAN),
        ("NaN", NAN),
        (None, NAN),
        (NAN, NAN),
        (0, 0.0),
    ],
)
def test_a_number_is_read_as_written(written: object, expected: float) -> None:
    np.testing.assert_equal(number(written), expected)


@pytest.mark.parametrize(
    "written",
    ["abc", "1,25", "1,2345", "1 2", "١٢", "1_000", "inf", "1e400", 10**30, True, [], "."],
)
def test_what_is_no_number_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"number|large"):
        number(written)


def test_an_array_of_numbers_tells_which_cells_are_none() -> None:
    found, reasons = numbers([1, None, "2,000", "x", 10**400])
    np.testing.assert_array_equal(found, [1.0, NAN, 2000.0, NAN, NAN])
    assert list(reasons) == [3, 4]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("18-Nov-2025", "2025-11-18"),
        ("11JUL2019", "2019-07-11"),
        ("4JUL2019", "2019-07-04"),
        ("20260804", "2026-08-04"),
        ("2026-08-04", "2026-08-04"),
        ("05-08-2026", "2026-08-05"),  # the day comes first, in India
    ],
)
def test_a_date_is_read_as_written(written: str, expected: str) -> None:
    assert str(day(written)) == expected


@pytest.mark.parametrize("written", ["31-Feb-2026", "18-Nov", "08/18/2026", "2026-8", "18-Nov-25"])
def test_what_is_no_date_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not a date"):
        day(written)


@pytest.mark.parametrize(
    ("written", "expected", "clock"),
    [
        ("13-Nov-2025 15:00:25", "2025-11-13T15:00:25", "unknown"),
        ("2026-08-18T10:15", "2026-08-18T10:15:00", "unknown"),
        ("20250829_094624", "2025-08-29T09:46:24", "unknown"),
        ("202608181043", "2026-08-18T10:43:00", "unknown"),
        ("2026-08-18 10:15:00.25 IST", "2026-08-18T10:15:00.25", "IST"),
        ("2026-08-18T10:15:00+05:30", "2026-08-18T04:45:00", "UTC"),
        ("2026-08-18T04:45:00Z", "2026-08-18T04:45:00", "UTC"),
        ("2026-08-18 04:45:00+00", "2026-08-18T04:45:00", "UTC"),  # as PostgreSQL writes it
        ("2026-08-18 12:45:00+08", "2026-08-18T04:45:00", "UTC"),
    ],
)
def test_a_moment_is_utc_only_where_it_says_so(written: str, expected: str, clock: str) -> None:
    assert moment(written) == (np.datetime64(expected, "us"), clock)


@pytest.mark.parametrize(
    ("path", "at", "expected", "clock"),
    [
        ("NIFTY_12-06-2019_09-15.csv", None, "2019-06-12T09:15:00", "unknown"),
        ("2025-10-13T08-24-10+00-00_b5b0.json.gz", None, "2025-10-13T08:24:10", "UTC"),
        ("chain_20250829_094624.json", None, "2025-08-29T09:46:24", "unknown"),
        ("expiry_day_2019_05_23/11_11.csv", None, "2019-05-23T11:11:00", "unknown"),
        ("expiry_day_2019_05_23/12_5.csv", None, "2019-05-23T12:05:00", "unknown"),
        ("2026-04-07/nifty_0915.csv", None, "2026-04-07T09:15:00", "unknown"),
        ("a/nifty_option_chain_103337.csv", "2026-04-07", "2026-04-07T10:33:37", "unknown"),
        ("a/nifty_103337.csv", "2026-04-07 10:15", "2026-04-07T10:15:00", "IST"),
        ("a/any.csv", "2026-04-07T10:15+05:30", "2026-04-07T04:45:00", "UTC"),
    ],
)
def test_a_name_tells_when(path: str, at: str | None, expected: str, clock: str) -> None:
    found = moment_of(Path("/recordings") / path, ReadOptions(at=at))
    assert found == (np.datetime64(expected, "us"), clock)


@pytest.mark.parametrize(
    ("path", "at", "message"),
    [
        ("nifty_option_chain_103337.csv", None, "on which day"),  # a time of day only
        ("13JUN2019/nifty_0915.csv", None, "on which day"),  # that folder is an expiry
        ("chain_2024-06-27_spot23868.8.json", None, "on which day"),  # no time beside the date
        ("option-chain-ED-NIFTY-13-Apr-2026.csv", "2026-04-07", "at what time"),  # 2026: no 20:26
        ("a.json", "yesterday", "--at: 'yesterday'"),
    ],
)
def test_a_name_that_does_not_tell_when_is_refused(path: str, at: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        moment_of(Path("/recordings/a") / path, ReadOptions(at=at))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("option-chain-ED-NIFTY-28-Apr-2026.csv", "2026-04-28"),
        ("13JUN2019/NIFTY_12-06-2019_09-15.csv", "2019-06-13"),
        ("expiry_day_2019_05_23/11_11.csv", "2019-05-23"),
        ("chain_expiry_2026-07-16.json", "2026-07-16"),
    ],
)
def test_a_name_tells_the_expiry(path: str, expected: str) -> None:
    assert str(expiry_of(Path("/recordings") / path, ReadOptions())) == expected


def test_a_name_that_mentions_two_indices_tells_none() -> None:
    assert underlying_of(Path("x_banknifty_1.csv"), ReadOptions()) == "BANKNIFTY"
    with pytest.raises(InputError, match="whose options"):
        underlying_of(Path("NIFTY_vs_BANKNIFTY.csv"), ReadOptions())


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("NIFTY2691524200CE", ("NIFTY", "2026-09-15", 24200.0, 1)),
        ("NIFTY25O2025000PE", ("NIFTY", "2025-10-20", 25000.0, -1)),
        ("NIFTY26SEP24200CE", ("NIFTY", "2026-09-29", 24200.0, 1)),
        ("BANKNIFTY26NOV60000PE", ("BANKNIFTY", "2026-11-23", 60000.0, -1)),  # the 24th is closed
    ],
)
def test_a_symbol_names_its_contract(symbol: str, expected: tuple[Any, ...]) -> None:
    underlying, expiry, strike, right = option_of_symbol(symbol)
    assert (underlying, str(expiry), strike, right) == expected


@pytest.mark.parametrize("symbol", ["INFY26SEP1400CE", "NIFTY26SEPFUT", "NIFTY2693124200CE", ""])
def test_other_symbols_are_no_index_options(symbol: str) -> None:
    with pytest.raises(ValueError, match=r"not an index option|names no day"):
        option_of_symbol(symbol)
