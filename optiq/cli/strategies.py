"""``optiq strategies``: what there is, each with its numbers; write your own; prove it honest."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from optiq.cli.options import (
    STORE,
    ConfigOption,
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
