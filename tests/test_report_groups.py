"""The report's groups: by hand, adding up to the paisa, and looking back only."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import DAY, TRADES, Recorded, Trade, random_path, write_run

from optiq.errors import DamagedError
from optiq.report.charts import thinned
from optiq.report.figures import daily, fates, latency, refusals, spread_paid, waiting_cost
from optiq.report.group_tables import group_tables
from optiq.report.grouping import (
    by_day,
    by_days_to_expiry,
    by_hour,
    by_reason,
    by_strategy,
    everything,
)
from optiq.report.positions import Positions, positions_of
from optiq.report.regime import by_regime, hour_before
from optiq.report.spot_paths import SpotPath, SpotPaths
from optiq.run.recorded import read_run
from optiq.run.verdict import Verdict
from optiq.trade.book import Status


def positions(trades: tuple[Trade, ...], place: Path, told: Recorded | None = None) -> Positions:
    return positions_of(read_run(write_run(place / "run", trades, told)).trades)


def shown(groups: list) -> list[tuple]:
    return [(g.label, g.trades, g.wins, g.gross, g.charges, g.net) for g in groups]


def test_groups_by_hand(tmp_path: Path) -> None:
    four = positions(TRADES, tmp_path)
    assert shown([everything(four)]) == [("all", 4, 1, -6_599, 14_100, -20_699)]
    assert shown(by_strategy(four, ["alpha", "beta", "gamma"])) == [
        ("alpha", 3, 1, -5_999, 14_000, -19_999),
        ("beta", 1, 0, -600, 100, -700),  # both legs are one trade
        ("gamma", 0, 0, 0, 0, 0),  # silent, and said so
    ]
    assert shown(by_reason(four)) == [
        ("TARGET", 2, 1, 14_001, 9_000, 5_001),
        ("EOD", 1, 0, -600, 100, -700),
        ("STOP", 1, 0, -20_000, 5_000, -25_000),
    ]
    assert shown(by_hour(four)) == [
        ("09:00–09:59", 1, 0, -20_000, 5_000, -25_000),  # a second before ten
        ("10:00–10:59", 2, 1, 14_001, 9_000, 5_001),
        ("14:00–14:59", 1, 0, -600, 100, -700),
    ]
    assert shown(by_days_to_expiry(four)) == [
        ("0, expiry day", 2, 0, -16_000, 9_000, -25_000),
        ("5", 2, 1, 9_401, 5_100, 4_301),
    ]
    assert shown(by_day(four)) == [
        ("2025-11-20", 3, 1, -10_599, 10_100, -20_699),
        ("2025-11-21", 1, 0, 4_000, 4_000, 0),
    ]


CLOCKS = st.integers(555, 929).map(lambda minute: f"{minute // 60:02d}:{minute % 60:02d}:00")
PAISE = st.integers(-(10**9), 10**9)
DATES = st.sampled_from(["2025-11-19", "2025-11-20", "2025-11-21"])


@st.composite
def random_trades(draw: st.DrawFn) -> Trade:
    legs = draw(st.integers(1, 4))
    return Trade(
        gross=tuple(draw(PAISE) for _ in range(legs)),
        charges=tuple(draw(st.integers(0, 10**7)) for _ in range(legs)),
        strategy=draw(st.sampled_from(["alpha", "beta", "own <idea>"])),
        day=draw(DATES),
        entered=draw(CLOCKS),
        left="15:30:00",
        reason=draw(st.sampled_from(["STOP", "TARGET", "EOD"])),
        expiry=draw(st.sampled_from(["2025-11-21", "2025-11-25", "2025-12-30"])),
        sides=(1,) * legs,
    )


@given(st.lists(random_trades(), max_size=30))
def test_every_grouping_adds_up_to_the_run_to_the_paisa(trades: list[Trade]) -> None:
    legs = [leg for number, trade in enumerate(trades) for leg in trade.legs(number)]
    if not legs:
        return
    columns = {name: np.array([leg[name] for leg in legs]) for name in legs[0]}
    for name in ("decided_ts", "entry_ts", "exit_decided_ts", "exit_ts"):
        naive = [moment.astimezone(dt.UTC).replace(tzinfo=None) for moment in columns[name]]
        columns[name] = np.array(naive, "datetime64[us]")
    columns["expiry"] = columns["expiry"].astype("datetime64[D]")
    drawn = positions_of(columns)
    paths = SpotPaths({DAY: random_path(3)}, {})
    tables = group_tables(drawn, ["alpha", "beta"], paths)
    groupings = [table.groups for table in tables if table.groups] + [by_day(drawn)]
    assert len(groupings) >= 5
    for groups in groupings:
        assert sum(group.net for group in groups) == sum(trade.net for trade in trades)
        assert sum(group.gross for group in groups) == sum(sum(t.gross) for t in trades)
        assert sum(group.charges for group in groups) == sum(sum(t.charges) for t in trades)
        assert sum(group.trades for group in groups) == len(trades)
        assert sum(group.wins for group in groups) == sum(trade.net > 0 for trade in trades)
    for table in tables:
        for bar in table.bars:
            assert -1e-9 <= bar.left <= bar.left + bar.width <= 1 + 1e-9


def test_legs_of_a_trade_that_lie_apart_are_damage(tmp_path: Path) -> None:
    columns = read_run(write_run(tmp_path / "run", TRADES)).trades
    order = [2, 0, 3, 1, 4]
    with pytest.raises(DamagedError, match="legs of a trade"):
        positions_of({name: values[order] for name, values in columns.items()})


def minutes(*clocks: str) -> np.ndarray:
    return np.array([f"2025-11-20T{clock}" for clock in clocks], "datetime64[us]")


def test_the_hour_before_by_hand() -> None:
    ts = minutes("03:45", "04:15", "04:45", "05:15")  # 09:15 to 10:45 in India
    path = SpotPath(ts, np.array([100.0, 110.0, 99.0, 100.0]), 555.0, 930.0)
    up, down, late = np.log(1.1), np.log(0.9), np.log(100 / 99)
    moments = minutes("03:50", "04:15", "04:50", "05:15", "05:40")
    volatility, rise = hour_before(path, moments)
    assert np.isnan(volatility[0])  # five minutes of session
    assert np.isnan(rise[0])
    assert volatility[1] == pytest.approx(np.sqrt(up**2 / 0.5))  # half an hour, scaled to one
    assert volatility[2] == pytest.approx(np.sqrt(up**2 + down**2))
    assert volatility[3] == pytest.approx(np.sqrt(down**2 + late**2))
    assert rise[1:4] == pytest.approx([up, up + down, down + late])
    # at 11:10 the last snapshot is that of 10:45, and 09:45 the last at least an hour ago
    assert rise[4] == pytest.approx(down + late)


def test_a_regime_looks_back_only() -> None:
    path = random_path(1)
    moments = path.ts[20:350:10]
    before = hour_before(path, moments)
    for moment, *regime in zip(moments, *before, strict=True):
        level = np.where(path.ts > moment, 1.0, path.level)
        again = hour_before(SpotPath(path.ts, level, 555.0, 930.0), np.array([moment]))
        assert [one[0] for one in again] == regime


def test_terciles_are_those_of_the_trades(tmp_path: Path) -> None:
    clocks = [f"{hour:02d}:{minute:02d}:00" for hour in (10, 11, 12, 13, 14) for minute in (0, 30)]
    trades = (
        *(Trade(entered=clock, left="15:00:00") for clock in clocks),
        Trade(entered="09:20:00"),
    )
    eleven = positions(trades, tmp_path)
    regimes = by_regime(eleven, {DAY: random_path(2)})
    assert (regimes.known, sum(group.trades for group in regimes.groups)) == (10, 11)
    words = {"quiet": 0, "medium": 0, "wild": 0, "not known": 0}
    for group in regimes.groups:
        words[group.label.split(",")[0]] += group.trades
    assert words == {"quiet": 4, "medium": 3, "wild": 3, "not known": 1}
    assert regimes.low < regimes.high


def test_a_run_without_its_store_has_no_regimes(tmp_path: Path) -> None:
    trouble = SpotPaths({}, {}, "the store is gone")
    table = group_tables(positions(TRADES, tmp_path), ["alpha"], trouble)[-1]
    assert (table.name, table.groups, table.note) == ("regime", [], "Not known: the store is gone.")


def test_fill_figures_by_hand(tmp_path: Path) -> None:
    told = Recorded(half_spreads=(0.25, float("nan")), refused={"max_open": 3, "hours": 1})
    run = read_run(write_run(tmp_path / "run", TRADES, told))
    spread = spread_paid(run.fills)
    assert spread is not None
    assert (spread.entry, spread.exit, spread.unknown) == (5 * 75 * 25, 0, 5)
    waited_for = waiting_cost(run.fills)
    assert waited_for is not None
    # four bought legs and a sold one: each bought 0.50 dearer, left 1.00 cheaper than decided
    assert (waited_for.entry, waited_for.exit) == (3 * 75 * 50, 4 * 75 * 100)
    assert waited_for.unknown == 1
    assert spread_paid(None) is waiting_cost(None) is None
    alpha, beta = fates(run.fates, ["alpha", "beta"])
    assert (alpha.asked, alpha.filled, alpha.expired, alpha.refused) == (7, 3, 0, 4)
    assert (beta.asked, beta.filled, beta.refused) == (1, 1, 0)
    four = positions_of(run.trades)
    waited = latency(four.decided, four.entry)
    assert (waited.median, waited.nineteen_of_twenty, waited.longest) == (60.0, 60.0, 60.0)
    (most, least) = refusals(run.summary["refused_by"])
    assert (most.limit, most.orders, most.setting) == ("max_open", 3, "limits.max_open")
    assert least.limit == "hours"


def test_every_refusal_has_words() -> None:
    names = [status.name.lower() for status in Status]
    refusing = set(names) - {"not_reached", "pending", "filled", "expired"}
    for refusal in refusals(dict.fromkeys(refusing, 1)):
        assert refusal.meaning != refusal.limit.replace("_", " ")
    assert refusals({"not_invented_yet": 2})[0].meaning == "not invented yet"


def test_sessions_without_a_trade_count_as_nothing(tmp_path: Path) -> None:
    told = Recorded(days=20)
    run = read_run(write_run(tmp_path / "run", TRADES, told))
    figures = daily(run, positions_of(run.trades))
    assert figures.interval.mean == pytest.approx(-206.99 / 20)
    assert figures.best == ("2025-11-21", 0)
    assert figures.worst == ("2025-11-20", -20_699)
    assert figures.word is Verdict.NOISE


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.integers(4, 60))
def test_thinning_keeps_the_extremes_and_the_ends(values: list[float], limit: int) -> None:
    array = np.array(values)
    kept = thinned(array, limit)
    assert len(kept) <= limit or len(kept) == len(array) <= limit
    assert np.all(np.diff(kept) > 0)
    assert (kept[0], kept[-1]) == (0, len(array) - 1)
    assert array[kept].min() == array.min()
    assert array[kept].max() == array.max()
