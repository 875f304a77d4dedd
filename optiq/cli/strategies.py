"""``optiq strategies``: what there is, each with its numbers; write your own; prove it honest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from optiq.cli.options import (
    STORE,
    ConfigOption,
    DateOption,
    FromOption,
    JsonOption,
    SetOption,
    StoreOption,
    ToOption,
    UnderlyingOption,
)

app = typer.Typer(help="The strategies: list, read, write, check.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="A strategy's name, or a Python file.")]


@app.command("ls")
def ls(as_json: JsonOption = False) -> None:
    """List the strategies there are, one line each: those that ship and installed ones."""
    from optiq.cli.output import emit, table
    from optiq.run.user_strategy import find_all, origin

    found = [
        {"name": s.name, "from": origin(s.name), "about": s.about.partition("\n")[0]}
        for s in find_all(["all"])
    ]
    rows = table("", "strategy", "from", "rule")
    for strategy in found:
        rows.add_row(*strategy.values())
    emit({"strategies": found}, as_json=as_json, show=lambda screen: screen.print(rows))


@app.command("show")
def show(
    name: NameArgument,
    overrides: SetOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a strategy's rule in words and every number it uses, as your settings have them."""
    import dataclasses
    import inspect

    from optiq.cli.output import emit, table
    from optiq.cli.settings import run_settings

    _, (strategy,), _ = run_settings([name], config, overrides or [])
    parameters = dataclasses.asdict(strategy.params)
    result = {
        "name": strategy.name,
        "about": strategy.about,
        "needs": list(strategy.needs),
        "parameters": parameters,
    }
    rows = table("", "parameter", ">value")
    for key, value in parameters.items():
        rows.add_row(f"{strategy.name}.{key}", "off" if value != value else str(value))

    def show_strategy(screen: Any) -> None:
        screen.print(f"[bold]{strategy.name}[/bold]\n\n{strategy.about}\n")
        screen.print(f"Silent on a day without {', '.join(strategy.needs) or 'prices'}.\n")
        for kind in reversed(strategy.params_type.__mro__):
            if dataclasses.is_dataclass(kind):
                screen.print(f"{inspect.getdoc(kind)}\n", style="dim")
        screen.print(rows)

    emit(result, as_json=as_json, show=show_strategy)


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Its name, a Python identifier such as my_idea.")],
    folder: Annotated[Path, typer.Option("--folder", help="Where to write it.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Write NAME.py, a small working strategy to change, and its test beside it."""
    from optiq.cli.output import emit
    from optiq.run.new_strategy import write_new

    file, test = write_new(name, folder)
    steps = [
        f"pytest {test}",
        f"optiq strategies check {file}",
        f"optiq backtest --strategy {file}",
    ]

    def show_files(screen: Any) -> None:
        screen.print(f"Wrote {file} and {test}. Next:", soft_wrap=True)
        for step in steps:
            screen.print(f"  {step}", soft_wrap=True)

    emit({"strategy": file, "test": test, "next": steps}, as_json=as_json, show=show_files)


@app.command("check")
def check(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME|all|FILE...", help="Names, Python files, or all there are."),
    ],
    underlying: UnderlyingOption = "NIFTY",
    date: DateOption = None,
    from_date: FromOption = None,
    to_date: ToOption = None,
    cuts: Annotated[
        int,
        typer.Option(
            "--cuts", min=0, help="Cuts a day besides those always made; 1000 tries every minute."
        ),
    ] = 60,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws the cuts.")] = 0,
    overrides: SetOption = None,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    as_json: JsonOption = False,
) -> None:
    """Prove that strategies do not look ahead, on stored days; exit status 3 if one does.

    Each day is cut after many rows and asked again: what a strategy says of a
    row must be the same, bit for bit, wherever the day ends. Always cut are the
    first rows, both sides of every hole, the arrival of the last new contract
    and the last rows; --cuts adds random moments and those where orders begin
    or end. The day is also asked with its columns reversed and shuffled.
    With "all", the features that models see are checked alike.
    """
    from optiq.cli.output import emit, progress
    from optiq.cli.settings import run_settings
    from optiq.errors import InputError, LookAheadError
    from optiq.market.store import Store
    from optiq.report.checks import show_checks
    from optiq.run.mismatch import look_ahead
    from optiq.run.stored import sessions
    from optiq.run.stored_check import check_stored

    if date and (from_date or to_date):
        raise InputError("--date and --from or --to", "give one day, or the ends of several")
    _, strategies, _ = run_settings(names, config, overrides or [])
    days = sessions(Store(store), underlying, date or from_date, date or to_date)
    with progress("Checking", total=len(days), unit="days", quiet=as_json) as advance:
        checks = check_stored(
            Store(store), underlying, days, strategies, cuts, seed, advance, features="all" in names
        )
    result: dict[str, Any] = {"strategies": [check.as_result() for check in checks]}
    errors = [look_ahead(check.mismatch) for check in checks if check.mismatch is not None]
    if errors:
        told = {"code": errors[0].code, "message": str(errors[0]), "hint": errors[0].hint}
        result = {"ok": False, "error": told, **result}
    emit(result, as_json=as_json, show=lambda screen: show_checks(screen, checks))
    if errors:
        raise typer.Exit(LookAheadError.exit_code)


@app.command("band")
def band(
    name: NameArgument,
    wide: Annotated[float, typer.Argument(help="The wider band, 0.08 is 8 % of spot.")],
    tight: Annotated[float, typer.Argument(help="The tighter band.")],
    underlying: UnderlyingOption = "NIFTY",
    from_date: FromOption = None,
    to_date: ToOption = None,
    overrides: SetOption = None,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    as_json: JsonOption = False,
) -> None:
    """Compare two bands around spot: signals kept and lost, quotes no longer scanned."""
    from optiq.cli.output import emit, progress
    from optiq.cli.settings import run_settings
    from optiq.errors import InputError
    from optiq.market.store import Store
    from optiq.report.tables import show_bands
    from optiq.run.bands import compare_bands
    from optiq.run.stored import sessions

    if wide > 1:
        raise InputError(f"a band of {wide:g} times spot", "8 % is written 0.08")
    _, (strategy,), _ = run_settings([name], config, overrides or [])
    days = sessions(Store(store), underlying, from_date, to_date)
    with progress("Comparing bands", total=len(days), unit="days", quiet=as_json) as advance:
        result = compare_bands(Store(store), underlying, days, strategy, wide, tight, advance)
    emit(result, as_json=as_json, show=lambda screen: show_bands(screen, result))
