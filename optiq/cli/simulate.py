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
    from optiq.run.sample_ledger import Sample

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
        help="An edge to hide in it, such as momentum=1; 0 hides none. May be repeated.",
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
        help="Write a ledger with planted faults beside the store, to try optiq reprice on.",
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
    state and the best possible probability that the index is higher 15
    minutes later. With --ledger, ledger.csv beside it books the trades of
    gamma_scalping as an old system would, faults included; ledger_truth.json
    names which trade got which.
    """
    from optiq.cli.output import emit, progress
    from optiq.market.plants import read_plant
    from optiq.market.simulated_settings import FIRST_DAY, Simulation
    from optiq.market.simulated_store import store_simulation
    from optiq.market.store import Store

    simulation = Simulation(
        days=days,
        seed=seed,
        underlying=underlying,
        start=start or FIRST_DAY,
        plants=tuple(read_plant(text) for text in plant or ()),
        row_seconds=seconds,
    )
    with progress("Simulating", total=days, unit="days", quiet=as_json) as advance:
        report = store_simulation(simulation, Store(store), truth=truth, advance=advance)
    sample = None
    if ledger:
        from optiq.run.sample_ledger import write_sample

        sample = write_sample(Store(store), underlying, report, seed)
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
        "ledger": sample and sample._asdict(),
    }
    emit(
        result,
        as_json=as_json,
        show=lambda screen: _print(screen, simulation, report, store, sample),
    )


def _print(
    screen: Any,
    simulation: Simulation,
    report: SimulationReport,
    store: Any,
    sample: Sample | None,
) -> None:
    from optiq.report.money import grouped

    screen.print(
        f"{len(report.days)} sessions of {simulation.underlying}, {report.days[0]} to "
        f"{report.days[-1]}: {grouped(report.rows)} quotes in {store}"
    )
    if known := len(report.days) - report.written:
        screen.print(f"{known} of them were there already")
    for plant in simulation.plants:
        screen.print(f"planted: {plant.name}, strength {plant.strength:g}")
    if report.truth is not None:
        screen.print(f"what it hides is in {report.truth}")
    if sample is not None:
        screen.print(
            f"{sample.trades:,} trades with {sample.planted:,} faults are in {sample.ledger}; try\n"
            f"  optiq reprice {sample.ledger} --store {store}",
            soft_wrap=True,
        )
