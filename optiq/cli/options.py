"""The options that several commands share, as annotated types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

STORE = Path("data/store")
MODELS = Path("models")
RUNS = Path("data/runs")
"""The folders a command uses when neither option, variable nor file names another."""


def parse_date(text: str | dt.date) -> dt.date:
    """Read YYYY-MM-DD; a date, as typer hands over a default, stays one.

    >>> parse_date("2026-08-03")
    datetime.date(2026, 8, 3)
    """
    if isinstance(text, dt.date):
        return text
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date; write YYYY-MM-DD") from None


def parse_clock(text: str | dt.time) -> dt.time:
    """Read HH:MM or HH:MM:SS.

    >>> parse_clock("09:20")
    datetime.time(9, 20)
    """
    if isinstance(text, dt.time):
        return text
    try:
        at = dt.time.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is not None or ":" not in text:
        raise typer.BadParameter(f"{text!r} is not a time of day; write HH:MM")
    return at


def parse_underlying(text: str) -> str:
    """Read the name of an index in any case."""
    from optiq.market.schema import UNDERLYINGS

    name = text.strip().upper()
    if name in UNDERLYINGS:
        return name
    near = get_close_matches(name, UNDERLYINGS, 1)
    known = f"did you mean {near[0]}?" if near else f"known are {', '.join(UNDERLYINGS)}"
    raise typer.BadParameter(f"no underlying {text!r}; {known}")


def _folder(name: str) -> Callable[[typer.Context, Path], Path]:
    """Return a callback that asks the environment and the TOML file where no option was given."""

    def choose(context: typer.Context, value: Path) -> Path:
        source = context.get_parameter_source(name)
        if context.resilient_parsing or source is None or source.name != "DEFAULT":
            return value
        from optiq.cli.config import folder

        return folder(name, value, context.params.get("config"))

    return choose


StoreOption = Annotated[
    Path,
    typer.Option(
        "--store",
        help="Folder of the recorded chains; OPTIQ_STORE or the TOML file may name another.",
        callback=_folder("store"),
        rich_help_panel="Common",
    ),
]
"""Use as ``store: StoreOption = STORE``."""

ModelsOption = Annotated[
    Path,
    typer.Option(
        "--models",
        help="Folder of the models; OPTIQ_MODELS or the TOML file may name another.",
        callback=_folder("models"),
        rich_help_panel="Common",
    ),
]
"""Use as ``models: ModelsOption = MODELS``."""

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Settings file; without it, optiq.toml in the working folder if there is one.",
        exists=True,
        dir_okay=False,
        is_eager=True,  # the folders are looked up in it
        rich_help_panel="Common",
    ),
]
"""Use as ``config: ConfigOption = None``."""

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Override one setting, such as walk.latency_s=0; may be repeated.",
        rich_help_panel="Common",
    ),
]
"""Use as ``overrides: SetOption = None``."""

JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object instead.", rich_help_panel="Common"),
]
"""Use as ``as_json: JsonOption = False``."""

UnderlyingOption = Annotated[
    str,
    typer.Option("--underlying", help="Index, such as NIFTY.", parser=parse_underlying),
]
"""Use as ``underlying: UnderlyingOption = "NIFTY"``."""

AnyUnderlyingOption = Annotated[
    str | None,
    typer.Option(
        "--underlying", help="Index, such as NIFTY; without it, all.", parser=parse_underlying
    ),
]
"""Use as ``underlying: AnyUnderlyingOption = None``."""

DateOption = Annotated[
    dt.date | None,
    typer.Option("--date", metavar="YYYY-MM-DD", help="One session.", parser=parse_date),
]
FromOption = Annotated[
    dt.date | None,
    typer.Option("--from", metavar="YYYY-MM-DD", help="First session.", parser=parse_date),
]
ToOption = Annotated[
    dt.date | None,
    typer.Option("--to", metavar="YYYY-MM-DD", help="Last session.", parser=parse_date),
]
OnOption = Annotated[
    dt.date,
    typer.Option(
        "--on", metavar="YYYY-MM-DD", help="The day whose rules apply.", parser=parse_date
    ),
]
"""A required day: use as ``on: OnOption``."""
ExpiryOption = Annotated[
    dt.date | None,
    typer.Option("--expiry", metavar="YYYY-MM-DD", help="Expiry day.", parser=parse_date),
]
AtOption = Annotated[
    dt.time | None,
    typer.Option("--at", metavar="HH:MM", help="Time of day, IST.", parser=parse_clock),
]
StrategyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy",
        metavar="NAME|all|FILE",
        help="A strategy's name or a Python file; may be repeated. Without it, all that ship.",
    ),
]
"""Use as ``strategy: StrategyOption = None``."""

PolicyOption = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="champion|random|equal|NAME|VERSION|PATH",
        help="Let one strategy trade at a time, chosen every five minutes: by the policy in force "
        "on each session, at random, at random but never none, always NAME, by policy/1.0.0, or "
        "by the model in a folder such as ./mine, which is stored as a candidate first.",
    ),
]
DirectionOption = Annotated[
    str | None,
    typer.Option(
        "--direction",
        metavar="champion|none|VERSION",
        help="The direction model that quantum_edge trades; the champion if there is one.",
    ),
]
"""Use as ``direction: DirectionOption = None``."""
ScorerOption = Annotated[
    str | None,
    typer.Option(
        "--scorer",
        metavar="champion|none|VERSION|PATH",
        help="Rank orders by a scorer; champion: on each session the version then in force; a "
        "folder such as ./mine: its model, which is stored as a candidate first.",
    ),
]
"""Use as ``scorer: ScorerOption = None``."""
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of the policy's draws.")]
