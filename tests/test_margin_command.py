"""``optiq margin``: legs in words, a market described or stored, and what is printed of it."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import numpy as np
import pytest
from panels import panel

from optiq.cli.app import main
from optiq.cli.legs import LegWords, read_leg
from optiq.errors import InputError, MissingDataError
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.trade.fills import WalkSettings
from optiq.trade.margin import margin_rates
from optiq.trade.priced_legs import Leg, chain_row_at, priced, quoted_at

Capture = pytest.CaptureFixture[str]

MARKET = ("--on", "2025-07-09", "--spot", "25682", "--expiry", "2025-07-31")
SOLD, BOUGHT = ("--leg", "sell 1 25700 CE @232.05"), ("--leg", "buy 1 25900 CE @155.45")


def run(capture: Capture, *arguments: str) -> tuple[int, Any]:
    """The exit status and the JSON object of `optiq margin`."""
    status = main(["margin", *arguments, "--json"])
    return status, json.loads(capture.readouterr().out)


def bound(capture: Capture, *arguments: str) -> dict[str, Any]:
    status, result = run(capture, *arguments)
    assert status == 0, result
    return result


# Legs in words


@pytest.mark.parametrize(
    ("text", "leg"),
    [
        ("sell 1 25700 CE", LegWords(-1, 1, 25_700.0, 1)),
        ("BUY 20 25700.5pe", LegWords(1, 20, 25_700.5, -1)),
        (" sell  1 25700 CE  @ 232.05 ", LegWords(-1, 1, 25_700.0, 1, price=232.05)),
        (
            "sell 1 25700 CE 12.5% 2025-07-31 @232.05",
            LegWords(-1, 1, 25_700.0, 1, dt.date(2025, 7, 31), 232.05, 0.125),
        ),
    ],
)
def test_a_leg_is_read_as_it_is_spoken(text: str, leg: LegWords) -> None:
    assert str(read_leg(text)) == str(leg)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "cannot read --leg ''"),
        ("25700 CE", "cannot read --leg '25700 CE'"),
        ("short 1 25700 CE", "cannot read"),
        ("sell 25700 CE", "cannot read"),
        ("sell 1.5 25700 CE", "cannot read"),
        ("sell -1 25700 CE", "cannot read"),
        ("sell 0 25700 CE", "lots and strike are 1 or more"),
        ("sell 1 25700 CEE", "cannot read"),
        ("sell 1 25700 CE 232.05", "'232.05' is neither @PRICE, an expiry YYYY-MM-DD nor IV%"),
        ("sell 1 25700 CE @-5", "'@-5' is neither"),
        ("sell 1 25700 CE 0%", "'0%' is neither"),
        ("sell 1 25700 CE 1200%", "'1200%' is neither"),  # a percent of a percent
        ("sell 1 25700 CE 2025-07-32", "'2025-07-32' is neither"),
        ("sell 1 25700 CE @1 @2", "it has a second price, @2"),
    ],
)
def test_a_leg_that_cannot_be_read_is_named(text: str, found: str) -> None:
    with pytest.raises(InputError) as raised:
        read_leg(text)
    assert found in str(raised.value)
    assert "sell 1 25700 CE @232.05 2025-07-31 12.5%" in raised.value.hint


# A market described


def test_a_described_market_gives_every_part(capsys: Capture) -> None:
    result = bound(capsys, *MARKET, *SOLD)
    (leg,) = result["legs"]
    assert (leg["quantity"], leg["forward"], leg["price"]) == (75, 25_682.0, 232.05)
    assert leg["days"] == pytest.approx(22 + 375 / 1440)  # from the open to the close
    assert (result["exposure"], result["expiry_day"], result["width"]) == (38_523.0, 0.0, None)
    assert result["total"] == pytest.approx(result["scan"] + 38_523.0)
    assert result["notional"] == 25_682.0 * 75
    assert result["sold_alone"] == result["total"]
    assert result["rates"] == margin_rates("NIFTY", dt.date(2025, 7, 9))._asdict()
    assert result["low_confidence"] == ["price_scan 0.093 since 2020-06-01 (medium confidence)"]


def test_the_distance_to_the_broker_s_figure_is_computed(capsys: Capture) -> None:
    result = bound(capsys, *MARKET, *SOLD)
    (record,) = result["records"]
    assert record["asked"] == 197_528.25
    assert record["approximated"] == pytest.approx(result["total"])  # the very package on record
    assert record["error"] == pytest.approx(result["total"] / 197_528.25 - 1)


def test_a_price_alone_gives_the_volatility_and_a_volatility_the_price(capsys: Capture) -> None:
    priced_leg = bound(capsys, *MARKET, *SOLD)["legs"][0]
    percent = f"{100 * priced_leg['iv']:.9f}%"
    by_leg = bound(capsys, *MARKET, "--leg", f"sell 1 25700 CE {percent}")["legs"][0]
    by_option = bound(capsys, *MARKET, "--leg", "sell 1 25700 CE", "--iv", percent)["legs"][0]
    assert by_leg["price"] == by_option["price"] == pytest.approx(232.05, abs=1e-5)


def test_a_leg_s_own_words_stand_before_the_options(capsys: Capture) -> None:
    own = "sell 1 25700 CE 15% 2025-07-10"
    leg = bound(capsys, *MARKET, "--leg", own, "--iv", "10%", "--forward", "25750")["legs"][0]
    assert (leg["iv"], leg["expiry"], leg["forward"]) == (0.15, "2025-07-10", 25_750.0)


def test_on_expiry_day_two_percent_more_and_none_the_day_before(capsys: Capture) -> None:
    straddle = ("--leg", "sell 1 25700 CE", "--leg", "sell 1 25700 PE", "--iv", "12%")
    spot = ("--spot", "25682", "--expiry", "2025-07-31")
    dying = bound(capsys, "--on", "2025-07-31", *spot, *straddle)
    alive = bound(capsys, "--on", "2025-07-30", *spot, *straddle)
    assert (dying["expiry_day"], alive["expiry_day"]) == (2 * 38_523.0, 0.0)
    assert dying["exposure"] == alive["exposure"] == 2 * 38_523.0


def test_lots_are_those_of_the_leg_s_expiry(capsys: Capture) -> None:
    day = ("--on", "2025-01-10", "--spot", "23500", "--iv", "14%")  # weeklies 75, January still 25
    legs = ("--leg", "sell 2 23500 CE", "--leg", "buy 2 23500 CE 2025-01-30")
    result = bound(capsys, *day, *legs)
    assert [leg["quantity"] for leg in result["legs"]] == [150, 50]
    assert result["notes"][0].startswith("the legs expire on different days")


def test_bought_legs_need_no_more_than_a_price(capsys: Capture) -> None:
    result = bound(capsys, *MARKET, "--leg", "buy 2 25600 CE @0.05")  # no volatility gives that
    assert result["legs"][0]["iv"] is None
    assert (result["total"], result["notional"], result["sold_alone"]) == (7.5, 0.0, None)
    assert result["low_confidence"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing option '--leg'"),
        (SOLD, "one day"),
        ((*MARKET, "--date", "2025-07-09", *SOLD), "one day"),
        (("--on", "2025-07-09", *SOLD), "describes a market without its level"),
        ((*MARKET, *SOLD * 5), "1 to 4 legs"),
        ((*MARKET, "--leg", "sell 1 25700 CE"), "25700 CE has no volatility here"),
        ((*MARKET, "--leg", "sell 1 25600 CE @80"), "no volatility gives 25600 CE a price of 80"),
        ((*MARKET, "--leg", "sell 1 25700 CE @1 2025-07-30"), "expires on 2025-07-30"),
        ((*MARKET[:-2], "--at", "15:31", "--leg", "sell 1 25700 CE 9% 2025-07-09"), "expires on"),
        (("--on", "2025-07-12", "--spot", "25682", *SOLD), "no trading day"),
        ((*MARKET, *SOLD, "--iv", "0.12"), "write percent, as 12.5%"),
        ((*MARKET, *SOLD, "--at", "9"), "write HH:MM"),
        ((*MARKET, *SOLD, "--at", "09:15+05:30"), "write HH:MM"),
    ],
)
def test_what_cannot_be_told_is_one_line(
    capsys: Capture, arguments: tuple[str, ...], message: str
) -> None:
    status, result = run(capsys, *arguments)
    assert status == 2
    assert message in result["error"]["message"]


def test_an_expired_leg_is_refused(capsys: Capture) -> None:
    dying = ("--on", "2025-07-31", "--spot", "25682", "--at", "15:30")
    status, result = run(capsys, *dying, "--leg", "sell 1 25700 CE 9% 2025-07-31")
    assert (status, result["error"]["message"]) == (2, "25700 CE of 2025-07-31 has expired")


# A market stored


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two sessions, the second an expiry day."""
    store = Store(tmp_path_factory.mktemp("margin") / "store")
    store_simulation(Simulation(days=2, seed=5), store)
    return store


def test_a_stored_session_gives_spot_forward_volatility_and_price(
    capsys: Capture, simulated: Store
) -> None:
    date = dt.date(2025, 1, 2)
    day = simulated.read_panel("NIFTY", date)
    row = chain_row_at(day, np.datetime64("2025-01-02T04:45"))  # 10:15
    assert day.ts[row] == np.datetime64("2025-01-02T04:45")
    legs = ("sell 1 23700 PE", "buy 2 23500 PE")
    words = [word for leg in legs for word in ("--leg", leg)]
    where = ("--store", str(simulated.root), "--date", "2025-01-02")
    result = bound(capsys, *where, "--at", "10:15:30", *words)  # the row before
    assert result["at"] == "2025-01-02T04:45:00.000000Z"
    assert result["spot"] == day.spot[row]
    for leg, side, field in zip(result["legs"], (-1, 1), (day.bid, day.ask), strict=True):
        column = np.flatnonzero(
            (day.strike == leg["strike"]) & (day.right < 0) & (day.expiry == day.expiries[0])
        )[0]
        assert leg["price"] == field[row, column]  # a sale at the bid, a purchase at the ask
        assert leg["iv"] == day.iv[row, column]
        assert leg["forward"] == day.forward[row, column]
        assert leg["quantity"] == (75 if side < 0 else 150)
    assert result["expiry_day"] == pytest.approx(0.02 * day.spot[row] * 75)
    assert result["total"] < result["sold_alone"]


def test_the_options_overrule_what_is_stored(capsys: Capture, simulated: Store) -> None:
    where = ("--store", str(simulated.root), "--date", "2025-01-02", "--expiry", "2025-01-09")
    told = ("--spot", "24000", "--forward", "24010", "--iv", "15%")
    result = bound(capsys, *where, *told, "--leg", "sell 1 23700 PE @99.95")
    (leg,) = result["legs"]
    assert (result["spot"], leg["forward"], leg["iv"]) == (24_000.0, 24_010.0, 0.15)
    assert (leg["price"], leg["expiry"]) == (99.95, "2025-01-09")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--date", "2025-01-03"), 10, "no NIFTY quotes of 2025-01-03"),
        (("--date", "2025-01-02", "--at", "09:15"), 10, "is of 09:16:00 IST"),
        (("--date", "2025-01-02", "--expiry", "2025-01-30"), 10, "no NIFTY 23700 PE of 2025-01-30"),
    ],
)
def test_what_is_not_stored_is_said(
    capsys: Capture, simulated: Store, arguments: tuple[str, ...], status: int, message: str
) -> None:
    where = ("--store", str(simulated.root))
    got, result = run(capsys, *where, *arguments, "--leg", "sell 1 23700 PE")
    assert (got, result["error"]["code"]) == (status, "missing_data")
    assert message in result["error"]["message"]


def test_a_leg_is_quoted_as_the_walk_would_for_a_decision() -> None:
    day = panel(
        [600.0, 601.0, 602.0],
        [26_000.0, 26_100.0],
        [1, 1],
        [[100.0, 50.0], [np.nan, np.nan], [np.nan, np.nan]],
        bid=[[99.0, 49.0], [99.5, np.nan], [np.nan, np.nan]],
        ask=[[101.0, 51.0], [100.5, 50.6], [np.nan, np.nan]],
        spot=[26_010.0, np.nan, np.nan],
        iv=0.12,
    )
    expiry = day.expiries[0].item()
    legs = [Leg(-1, 1, 26_000.0, 1, expiry), Leg(1, 1, 26_100.0, 1, expiry)]
    quoted = quoted_at(day, 1, legs, WalkSettings(slippage_ticks=1))
    assert quoted.price.tolist() == [99.45, 50.0]  # the bid less a tick; half a book: the mark
    assert quoted.spot == 26_010.0
    late = quoted_at(day, 2, legs, WalkSettings(max_quote_age_s=60.0))
    assert np.isnan(late.price).all()
    with pytest.raises(InputError, match="no forward for 2025-11-25"):
        priced(legs, "NIFTY", day.ts[1], quoted)
    with pytest.raises(MissingDataError, match="no NIFTY 26200 CE"):
        quoted_at(day, 1, [Leg(-1, 1, 26_200.0, 1, expiry)], WalkSettings())


def test_only_chain_rows_are_decision_rows() -> None:
    day = panel([600.0, 601.0], [26_000.0], [1], 100.0, chain=[True, False])
    assert chain_row_at(day, day.ts[1]) == 0


def test_an_unknown_level_is_asked_for() -> None:
    day = panel([600.0], [26_000.0], [1], 100.0, spot=math.nan, iv=0.12)
    legs = [Leg(-1, 1, 26_000.0, 1, day.expiries[0].item())]
    with pytest.raises(InputError, match="the level of the index is not known"):
        priced(legs, "NIFTY", day.ts[0], quoted_at(day, 0, legs, WalkSettings()))


# What a person reads


def test_a_hedged_package_is_shown_beside_the_naked_one(capsys: Capture) -> None:
    assert main(["margin", *MARKET, *SOLD, *BOUGHT]) == 0
    printed = capsys.readouterr()
    for words in (
        "NIFTY on 2025-07-09 09:15 IST, index at 25,682.00",
        "sell 25700 CE",
        "largest loss of 16 scenarios, counts",
        "38,523.00        2.00 %",
        "Naked, the sold legs bind 1,98,987.12: the hedge saves",
        "An approximation of the exchanges' SPAN",
        "Zerodha asked 1,97,528.25 for one lot of NIFTY 25700 CE sold",
        "0.7 % more.",
    ):
        assert words in printed.out
    assert "rests on price_scan 0.093" in printed.err


def test_the_part_that_counts_is_marked(capsys: Capture) -> None:
    def counting(*legs: str) -> list[str]:
        words = [word for leg in legs for word in ("--leg", leg)]
        assert main(["margin", *MARKET, *words]) == 0
        lines = capsys.readouterr().out.splitlines()
        return [line.split()[0] for line in lines if "counts" in line]

    assert counting("sell 1 25700 CE @232.05") == ["scan"]
    assert counting("sell 1 25700 CE @232.05", "buy 1 25600 CE @285") == ["premium"]
    assert counting("sell 1 22000 PE 30%", "buy 1 21950 PE 30%") == ["scan"]
    assert counting("sell 1 25700 CE @200 10%", "buy 1 25750 CE @150 20%") == ["width"]


def test_bought_legs_and_far_strikes_are_explained(capsys: Capture) -> None:
    assert main(["margin", *MARKET, "--leg", "buy 1 25700 CE @100"]) == 0
    printed = capsys.readouterr()
    assert "premium paid   7,500.00" in printed.out
    assert "On record" not in printed.out
    assert main(["margin", *MARKET, "--leg", "sell 1 29000 CE 20%"]) == 0
    assert "over 10 % away from the index" in capsys.readouterr().err


def test_the_help_says_what_span_is(capsys: Capture) -> None:
    assert main(["margin", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "SPAN, the exchanges' method, revalues the package in sixteen scenarios" in said
    assert "brokers differ" in said
    assert "sell|buy LOTS STRIKE CE|PE, then @PRICE" in said.replace(" │ │ ", " ")
