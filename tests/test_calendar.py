"""Which days trade, from when to when, and what nobody knows."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from optiq.errors import InputError, RuleError
from optiq.market import calendar, rulecheck, tables
from optiq.market.calendar import session, sessions_between


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("date", "kind", "opens", "closes", "breaks"),
    [
        ("2019-01-01", "regular", 555, 930, ()),
        ("2025-11-20", "regular", 555, 930, ()),
        ("2026-07-31", "regular", 555, 930, ()),
        ("2026-08-03", "regular", 555, 940, ()),  # the first day of the 15:40 close
        ("2026-11-20", "regular", 555, 940, ()),
        ("2020-02-01", "special", 555, 930, ()),  # a Saturday: the Budget
        ("2024-01-20", "special", 555, 930, ()),  # a Saturday, in lieu of the 22nd
        ("2025-02-01", "special", 555, 930, ()),
        ("2026-02-01", "special", 555, 930, ()),  # a Sunday
        ("2024-03-02", "special", 555, 750, ((600, 690),)),  # two parts, primary and backup site
        ("2024-05-18", "special", 555, 750, ((600, 690),)),
        ("2021-02-24", "interruption", 555, 1020, ((700, 945),)),
        ("2021-11-04", "muhurat", 1095, 1155, ()),
        ("2023-11-12", "muhurat", 1095, 1155, ()),  # a Sunday
        ("2024-11-01", "muhurat", 1080, 1140, ()),
        ("2025-10-21", "muhurat", 825, 885, ()),  # in the afternoon for once
    ],
)
def test_sessions_have_the_hours_of_their_date(
    date: str, kind: str, opens: int, closes: int, breaks: tuple[tuple[int, int], ...]
) -> None:
    found = session(day(date))
    assert (found.kind, found.open_minute, found.close_minute) == (kind, opens, closes)
    assert found.breaks == breaks
    assert found.source
    assert found.confidence in ("high", "medium", "low")


def test_bounds_are_utc_to_the_microsecond() -> None:
    found = session(day("2026-08-03"), "BANKNIFTY")
    assert found.open_utc == np.datetime64("2026-08-03T03:45", "us")
    assert found.close_utc == np.datetime64("2026-08-03T10:10", "us")
    assert found.close_utc.dtype == np.dtype("datetime64[us]")


def test_the_outage_was_the_other_exchange_s() -> None:
    found = session(day("2021-02-24"), "SENSEX")
    assert (found.breaks, found.close_minute, found.confidence) == ((), 1020, "low")


@pytest.mark.parametrize(
    "date", ["2025-10-22", "2025-11-05", "2026-01-15", "2026-11-24", "2024-01-22", "2025-11-22"]
)
def test_holidays_and_weekends_are_closed_and_say_so(date: str) -> None:
    assert not calendar.is_session(day(date))
    with pytest.raises(RuleError, match=f"{date} is no trading day for NIFTY"):
        session(day(date))


def test_unknown_hours_are_an_error_though_the_day_is_a_session() -> None:
    assert calendar.is_session(day("2026-11-08"))
    with pytest.raises(RuleError, match="hours are not known"):
        session(day("2026-11-08"))


@pytest.mark.parametrize("date", ["2018-12-31", "2027-01-01", "1999-06-01"])
def test_years_without_holidays_are_an_error_that_names_table_and_date(date: str) -> None:
    with pytest.raises(RuleError, match=rf"holidays\.csv covers {date[:4]}.*{date}") as failure:
        calendar.is_session(day(date))
    assert "2019 to 2026" in failure.value.hint


def test_an_unknown_index_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match="no index named DAX") as failure:
        session(day("2025-11-20"), "DAX")
    assert "MIDCPNIFTY" in failure.value.hint


def test_a_year_of_sessions_has_its_weekend_and_evening_ones() -> None:
    # 2024: 262 weekdays, 16 weekday holidays, Muhurat on Friday 1 November, 3 special Saturdays
    sessions = sessions_between(day("2024-01-01"), day("2024-12-31"))
    assert len(sessions) == 262 - 16 + 3
    assert [date for date in sessions if date.weekday() >= 5] == [
        day("2024-01-20"),
        day("2024-03-02"),
        day("2024-05-18"),
    ]
    without = sessions_between(day("2024-01-01"), day("2024-12-31"), with_muhurat=False)
    assert set(sessions) - set(without) == {day("2024-11-01")}


def test_every_covered_session_but_one_has_hours() -> None:
    unknown = []
    for date in sessions_between(calendar.first_covered_day(), calendar.last_covered_day()):
        try:
            found = session(date)
        except RuleError:
            unknown.append(date)
            continue
        edges = [found.open_minute, *np.ravel(found.breaks), found.close_minute]
        assert edges == sorted(set(edges))
    assert unknown == [day("2026-11-08")]


@pytest.mark.parametrize(
    ("date", "close"),
    [
        ("2025-11-25", "2025-11-25T10:00"),
        ("2026-11-23", "2026-11-23T10:10"),
        ("2024-03-02", "2024-03-02T07:00"),  # a two-part Saturday ends at 12:30
        ("2026-03-31", "2026-03-31T10:00"),  # listed years before it became a holiday
        ("2030-06-25", "2030-06-25T10:10"),  # beyond the calendar: the hours now in force
    ],
)
def test_an_expiry_s_close_is_known_however_far(date: str, close: str) -> None:
    assert calendar.close_of(day(date)) == np.datetime64(close, "us")


def test_the_library_agrees_wherever_no_row_expects_it_not_to() -> None:
    pytest.importorskip("pandas_market_calendars")
    assert list(rulecheck.library_findings()) == []


def test_disagreement_with_the_library_would_be_found() -> None:
    theirs = set(sessions_between(day("2025-01-01"), day("2025-12-31")))
    theirs ^= {day("2025-02-01"), day("2025-11-05")}  # the Saturday it lacks; a holiday it has not
    found = list(rulecheck.session_findings(theirs, day("2025-01-01"), day("2025-12-31")))
    assert [f.text for f in found if f.state == "problem"] == [
        "2025-11-05 is closed here and not in pandas_market_calendars"
    ]


def test_every_row_of_every_table_has_a_source() -> None:
    for name in tables.MARKET_TABLES:
        assert tables.rows(name)
        assert list(rulecheck.unsourced(name, tables.rows(name))) == []
