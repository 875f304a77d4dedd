"""What an order costs, against hand-made bills, published bills and exact fractions."""

from __future__ import annotations

import csv
import datetime as dt
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from recorded import FACTS

from optiq.errors import InputError, RuleError
from optiq.market import rulecheck, tables
from optiq.market.schema import UNDERLYINGS
from optiq.trade.charges import (
    LARGEST_BROKERAGE_RUPEES,
    LARGEST_PREMIUM_PAISE,
    LINES,
    Broker,
    Schedule,
    charge_lines,
    is_about,
    line_totals,
    order_charge_paise,
    schedule,
)

BUY, SELL = 1, -1
GOLDEN = FACTS / "charge_golden.csv"
needs_golden = pytest.mark.skipif(not GOLDEN.is_file(), reason=f"no published bills in {GOLDEN}")


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def bill(premium_paise: int, side: int, rules: Schedule) -> list[Fraction]:
    """The lines in rupees, straight from the rows of the table."""
    premium = Fraction(premium_paise, 100)
    rates = {row["charge"]: row for row in rules.rows}
    word = "buy" if side > 0 else "sell"

    def line(name: str) -> Fraction:
        row = rates[name]
        return premium * Fraction(row["rate"]) if row["side"] in ("both", word) else Fraction(0)

    fees = [Fraction(rates["brokerage"]["rate"])]
    fees += [line(name) for name in ("exchange_txn", "ipft", "sebi")]
    gst = sum(fees) * Fraction(rates["gst"]["rate"])
    return [fees[0], line("stt"), *fees[1:], line("stamp"), gst]


def half_up(rupees: Fraction) -> int:
    return floor(rupees * 100 + Fraction(1, 2))


def all_schedules() -> list[Schedule]:
    """One schedule for every stretch of days over which nothing changes."""
    found = {}
    for underlying in UNDERLYINGS:
        rows = tables.rows("charges", "optiq.trade")
        for on in {tables.first_day(row) for row in rows if is_about(row, underlying)}:
            try:
                rules = schedule(underlying, on)
            except RuleError:
                continue
            found[rules.rates] = rules
    return list(found.values())


SCHEDULES = all_schedules()
schedules = st.sampled_from(SCHEDULES)
premiums = st.one_of(
    st.builds(lambda tick, lot: 5 * tick * lot, st.integers(1, 40_000), st.integers(10, 30_000)),
    st.integers(0, LARGEST_PREMIUM_PAISE),
)


@pytest.mark.parametrize(
    ("underlying", "on", "side", "price", "quantity", "lines", "total"),
    [
        # 11,658.75 bought: 20; 0; .0003503x = 4.08406...; GST .18 x (20 + 4.0841 + .0583 + .0117)
        ("NIFTY", "2025-07-01", BUY, 15545, 75,
         (20, 0, 4.084060, 0.058294, 0.011659, 0.349763, 4.347722), 28.85),
        # 17,403.75 sold: STT .001x = 17.40375 and no stamp
        ("NIFTY", "2025-07-01", SELL, 23205, 75,
         (20, 17.40375, 6.096534, 0.087019, 0.017404, 0, 4.716172), 48.32),
        # 6,500 sold after 2026-04-01: STT .0015x = 9.75; IPFT all but gone
        ("NIFTY", "2026-06-10", SELL, 10000, 65,
         (20, 9.75, 2.3088, 0.00065, 0.0065, 0, 4.016871), 36.08),
        ("NIFTY", "2026-06-10", BUY, 10000, 65,
         (20, 0, 2.3088, 0.00065, 0.0065, 0.195, 4.016871), 26.53),
        # 6,000 of SENSEX: BSE's .000325 and no IPFT
        ("SENSEX", "2026-06-11", BUY, 30000, 20, (20, 0, 1.95, 0, 0.006, 0.18, 3.95208), 26.09),
        # 2019: stamp .00002 on both sides, NSE .0005, IPFT a billionth
        ("BANKNIFTY", "2019-06-03", SELL, 20000, 20,
         (20, 2.0, 2.0, 0.000004, 0.004, 0.08, 3.960721), 28.04),
        # autumn 2020: SEBI's fee halved, stamp on the buyer only
        ("NIFTY", "2020-10-01", SELL, 10000, 75,
         (20, 3.75, 3.75, 0.0000075, 0.00375, 0, 4.275676), 31.78),
    ],
)  # fmt: skip
def test_a_bill_made_by_hand(
    underlying: str, on: str, side: int, price: int, quantity: int, lines: tuple[float, ...],
    total: float,
) -> None:  # fmt: skip
    found = charge_lines(price * quantity, side, schedule(underlying, day(on)))
    assert found[:7] == pytest.approx(lines, abs=1e-6)
    assert found.total == total


@pytest.mark.parametrize(
    ("on", "name", "before", "after"),
    [
        ("2023-04-01", "stt_sell", 500_000, 625_000),
        ("2024-10-01", "stt_sell", 625_000, 1_000_000),
        ("2026-04-01", "stt_sell", 1_000_000, 1_500_000),
        ("2024-10-01", "exchange_txn", 495_000, 350_300),
        ("2026-03-01", "exchange_txn", 350_300, 355_200),
        ("2026-03-01", "ipft", 5_000, 100),
        ("2020-06-01", "sebi", 1_000, 500),
        ("2020-07-01", "stamp_sell", 20_000, 0),
    ],
)
def test_a_rate_changes_on_its_day(on: str, name: str, before: int, after: int) -> None:
    eve = day(on) - dt.timedelta(days=1)
    assert getattr(schedule("NIFTY", eve).rates, name) == before
    assert getattr(schedule("NIFTY", day(on)).rates, name) == after


def test_the_two_exchanges_differ_and_so_did_the_two_bse_indices() -> None:
    assert schedule("SENSEX", day("2025-06-10")).rates.exchange_txn == 325_000
    assert schedule("NIFTY", day("2025-06-10")).rates.exchange_txn == 350_300
    assert schedule("SENSEX", day("2024-01-10")).rates.exchange_txn == 375_000
    assert schedule("BANKEX", day("2024-01-10")).rates.exchange_txn == 50_000


@given(premiums, st.sampled_from([BUY, SELL]), schedules)
def test_a_total_is_the_exact_bill_rounded_half_up_once(
    premium: int, side: int, rules: Schedule
) -> None:
    exact = bill(premium, side, rules)
    assert order_charge_paise(premium, side, rules.rates) == half_up(sum(exact, Fraction(0)))
    found = charge_lines(premium, side, rules)
    assert found[:7] == pytest.approx([float(line) for line in exact], rel=1e-15)
    assert round(found.total * 100) == half_up(sum(exact, Fraction(0)))


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("fee", [None, LARGEST_BROKERAGE_RUPEES])
def test_the_largest_premium_is_still_exact(side: int, fee: float | None) -> None:
    for rules in SCHEDULES:
        rates = schedule(rules.underlying, rules.on, Broker(brokerage_per_order=fee)).rates
        exact = sum(bill(LARGEST_PREMIUM_PAISE, side, rules), Fraction(0))
        if fee is not None:
            exact += Fraction(118, 100) * (fee - 20)
        assert order_charge_paise(LARGEST_PREMIUM_PAISE, side, rates) == half_up(exact)


def test_exactly_half_a_paisa_goes_up() -> None:
    # no brokerage, IPFT and GST: STT .001 x 5.00 is half a paisa; the rest is switched off
    rates = schedule("NIFTY", day("2025-06-10")).rates._replace(
        brokerage_paise=0, exchange_txn=0, ipft=0, sebi=0
    )
    assert order_charge_paise(500, SELL, rates) == 1
    assert order_charge_paise(499, SELL, rates) == 0
    assert order_charge_paise(1500, SELL, rates) == 2  # up, not to even


@pytest.mark.parametrize("premium", [-1, LARGEST_PREMIUM_PAISE + 1, 2**62])
def test_a_premium_beyond_exactness_is_refused(premium: int) -> None:
    rules = schedule("NIFTY", day("2025-06-10"))
    with pytest.raises(OverflowError, match="100 crore"):
        order_charge_paise(premium, BUY, rules.rates)
    with pytest.raises(InputError, match="100 crore"):
        charge_lines(premium, BUY, rules)


@given(premiums, premiums, st.sampled_from([BUY, SELL]), schedules)
def test_a_dearer_order_never_costs_less(one: int, other: int, side: int, rules: Schedule) -> None:
    low, high = sorted((one, other))
    rates = rules.rates
    assert order_charge_paise(low, side, rates) <= order_charge_paise(high, side, rates)


def test_it_can_be_called_from_compiled_code() -> None:
    rates = schedule("NIFTY", day("2025-07-01")).rates

    @njit
    def walk(premium: int, rates: object) -> int:
        total: int = order_charge_paise(premium, -1, rates)
        return total

    assert walk(1740375, rates) == 4832


def test_sums_of_lines_are_the_lines_summed() -> None:
    rules = schedule("NIFTY", day("2025-07-01"))
    orders = [(1165875, BUY), (1740375, SELL), (650000, SELL)]
    columns = tuple(np.array(column, np.int64) for column in zip(*orders, strict=True))
    expected = np.sum([charge_lines(*order, rules)[:7] for order in orders], axis=0)
    totals = line_totals((columns[0], columns[1]), rules)
    assert list(totals) == list(LINES)
    assert list(totals.values()) == pytest.approx(expected.tolist(), rel=1e-12)


def test_a_broker_can_be_named_or_priced() -> None:
    on = day("2025-06-10")
    assert schedule("NIFTY", on, Broker("zerodha")).rates.brokerage_paise == 2000
    assert schedule("NIFTY", on, Broker(brokerage_per_order=15.5)).rates.brokerage_paise == 1550
    free = schedule("NIFTY", on, Broker("Nobody", brokerage_per_order=0.0))
    assert charge_lines(100_000, BUY, free).brokerage == 0
    with pytest.raises(InputError, match="no broker named Nobody") as failure:
        schedule("NIFTY", on, Broker("Nobody"))
    assert "Zerodha" in failure.value.hint
    with pytest.raises(RuleError, match="finer than the arithmetic"):
        schedule("NIFTY", on, Broker(brokerage_per_order=0.001))
    with pytest.raises(ValueError, match="brokerage_per_order is -1"):
        Broker(brokerage_per_order=-1)


def test_a_schedule_says_which_of_its_rows_are_unsure() -> None:
    assert schedule("NIFTY", day("2026-06-10")).low_confidence == ()
    assert schedule("NIFTY", day("2024-06-10")).low_confidence == (
        "exchange_txn 0.000495 of NSE since 2024-04-01 (low confidence)",
    )
    unsure = schedule("NIFTY", day("2026-06-10"), Broker("Upstox")).low_confidence
    assert unsure == ("brokerage 20 of Upstox since 2019-01-01 (low confidence)",)


@pytest.mark.parametrize(
    ("underlying", "on", "line"),
    [("NIFTY", "2019-03-29", "sebi"), ("SENSEX", "2022-04-22", "exchange_txn")],
)
def test_a_day_without_a_rate_is_an_error(underlying: str, on: str, line: str) -> None:
    with pytest.raises(RuleError, match=rf"charges\.csv covers {line} for {underlying} on {on}"):
        schedule(underlying, day(on))


def test_the_table_has_sources_and_no_overlaps() -> None:
    rows = tables.rows("charges", "optiq.trade")
    assert list(rulecheck.unsourced("charges", rows)) == []
    assert {row["charge"] for row in rows} == set(LINES)


def published() -> list[dict[str, str]]:
    if not GOLDEN.is_file():
        return []
    with GOLDEN.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [row for row in rows if row["matches_official_tariff_of_date"].startswith("Y")]


def orders_of(row: dict[str, str]) -> list[tuple[int, int]]:
    """The premium in paise and side of each order of a published bill."""
    orders = []
    for side, name in ((BUY, "buy"), (SELL, "sell")):
        quantity = int(row[f"{name}_qty"])
        if quantity:
            paise = Fraction(row[f"{name}_price"]) * 100 * quantity
            assert paise.denominator == 1
            orders.append((int(paise), side))
    assert len(orders) == int(row["orders"])
    return orders


@needs_golden
def test_the_published_bills_are_all_there() -> None:
    assert [row["id"] for row in published()] == (
        ["G1", "G2", "G3", "D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9"]
    )


@needs_golden
@pytest.mark.parametrize("row", published(), ids=lambda row: row["id"])
def test_a_published_bill_is_reproduced(row: dict[str, str]) -> None:
    underlying = "SENSEX" if row["exchange"] == "BSE" else "NIFTY"
    rules = schedule(underlying, day(row["trade_date"]))
    orders = orders_of(row)
    bills = [charge_lines(premium, side, rules) for premium, side in orders]
    sums = dict(zip(LINES, np.sum([one[:7] for one in bills], axis=0), strict=True))
    sums["exch_txn_incl_ipft"] = sums.pop("exchange_txn") + sums.pop("ipft")
    if row["matches_official_tariff_of_date"] == "Y except stamp":
        assert sums["stamp"] == pytest.approx(0.349763, abs=1e-6)  # a true one; theirs is left out
        sums["stamp"] = 0.0
    for name, amount in sums.items():
        assert amount == pytest.approx(float(row[name]), abs=1.01e-4), (
            name
        )  # theirs: 4 decimals an order
    assert half_up(Fraction(sum(sums.values()))) == half_up(Fraction(row["total"]))
    if row["matches_official_tariff_of_date"] == "Y":
        booked = sum(order_charge_paise(*order, rules.rates) for order in orders)
        assert abs(booked - Fraction(row["total"]) * 100) <= Fraction(len(orders), 2) + Fraction(
            1, 2
        )
