"""``optiq simulate``: a market that never was, in a store like any other."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optiq.cli.options import (
    STORE,
    ConfigOption,
    JsonOption,
    StoreOption,
    UnderlyingOption,
    parse_date,
)

if TYPE_CHECKING:
    from optiq.market.simulated_settings import Simulation
    from optiq.market.simulated_store import SimulationReport

DaysOption = Annotated[
    int, typer.Option("--days", metavar="N", help="Sessions of the real calendar.", min=1)
]
SeedOption = Annotated[
    int, typer.Option("--seed", metavar="S", help="The same seed gives the same bytes.", min=0)
]
StartOption = Annotated[
    dt.date | None,
    typer.Option(
        "--start",
        metavar="YYYY-MM-DD",
        help="No session before this; 2025-01-01 unless given.",
        parser=parse_date,
    ),
]
SecondsOption = Annotated[float, typer.Option("--seconds", help="Between two snapshots.")]
PlantOption = Annotated[
    list[str] | None,
    typer.Option(
        "--plant",
        metavar="NAME=STRENGTH",
        help="An edge to hide in it: momentum, oi_lead, iv_reversion, regimes or nonlinear, such "
        "as momentum=1; 0 hides none. May be repeated.",
    ),
]
TruthOption = Annotated[
    bool,
    typer.Option("--truth", help="Write what it hides into truth.parquet beside the store."),
]
LedgerOption = Annotated[
    bool,
    typer.Option(
        "--ledger",
        help="Write ledger.csv beside the store, a sample with planted faults for optiq reprice.",
    ),
]


def simulate(
    days: DaysOption = 20,
    seed: SeedOption = 1,
    underlying: UnderlyingOption = "NIFTY",
    start: StartOption = None,
    seconds: SecondsOption = 60.0,
    plant: PlantOption = None,
    truth: TruthOption = False,
    ledger: LedgerOption = False,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    as_json: JsonOption = False,
) -> None:
    """Simulate an option market and store it, as `optiq ingest` would a recorded one.

    Sessions, expiries, lots and hours are the real ones of their dates; every
    price is invented, and none can be predicted unless --plant hides an edge.

    With --truth, truth.parquet beside the store holds each snapshot's hidden
    state, the best possible probability that the index is higher 15 minutes
    later, and under some plants the strategy that is then the best. With
    --ledger, ledger.csv holds a backtest's trades as a live system books them,
    some of them wrongly; ledger_truth.json tells which.
    """
    from optiq.cli.output import emit, progress
    from optiq.market.plants import read_plant
    from optiq.market.simulated_settings import FIRST_DAY, Simulation
    from optiq.market.simulated_store import store_simulation
    from optiq.market.store import Store
    from optiq.run.sample_ledger import ledger_path, require_own_ledger, write_sample_ledger

    simulation = Simulation(
        days=days,
        seed=seed,
        underlying=underlying,
        start=start or FIRST_DAY,
        plants=tuple(read_plant(text) for text in plant or ()),
        row_seconds=seconds,
    )
    if ledger:
        require_own_ledger(store)
    with progress("Simulating", total=days, unit="days", quiet=as_json) as advance:
        report = store_simulation(simulation, Store(store), truth=truth, advance=advance)
    booked = None
    if ledger:
        dates = [dt.date.fromisoformat(day) for day in report.days]
        with progress("Trading", total=days, unit="days", quiet=as_json) as advance:
            booked = write_sample_ledger(Store(store), underlying, dates, seed, advance)
    result = {
        "days": len(report.days),
        "written": report.written,
        "rows": report.rows,
        "first": report.days[0],
        "last": report.days[-1],
        "underlying": underlying,
        "store": store,
        "seed": seed,
        "plants": {planted.name: planted.strength for planted in simulation.plants},
        "truth": report.truth,
        "ledger": ledger_path(store) if booked else None,
        "ledger_trades": booked["trades"] if booked else 0,
        "ledger_faults": len(booked["faults"]) if booked else 0,
    }
    emit(result, as_json=as_json, show=lambda screen: _print(screen, simulation, report, result))


def _print(
    screen: Any, simulation: Simulation, report: SimulationReport, result: dict[str, Any]
) -> None:
    from optiq.report.money import grouped

    screen.print(
        f"{len(report.days)} sessions of {simulation.underlying}, {report.days[0]} to "
        f"{report.days[-1]}: {grouped(report.rows)} quotes in {result['store']}"
    )
    if known := len(report.days) - report.written:
        screen.print(f"{known} of them were there already")
    for plant in simulation.plants:
        screen.print(f"planted: {plant.name}, strength {plant.strength:g}")
    if report.truth is not None:
        screen.print(f"what it hides is in {report.truth}")
    if result["ledger"] is not None:
        screen.print(
            f"{result['ledger']} books {result['ledger_trades']} trades, "
            f"{result['ledger_faults']} of them wrongly",
            soft_wrap=True,
        )
