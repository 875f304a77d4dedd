"""What may be wrong with a strategy's module or happen inside it, said in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass
from difflib import get_close_matches
from types import ModuleType
from typing import Any

from optiq.errors import OptiqError, StrategyError
from optiq.market.panel import Panel
from optiq.market.schema import FIELDS

USER_CODE_ERRORS = (Exception,)
"""What other people's code may raise: anything, classes of its own included.

Wherever a user's file is read or asked for orders, that is the file's error and never ours.
"""


def check_module(name: str, module: ModuleType) -> None:
    """Refuse, by name, a module whose parts, `Params` and `entries` first, will not do."""
    _check_params(name, getattr(module, "Params", None))
    if not callable(getattr(module, "entries", None)):
        raise StrategyError(
            f"strategy {name!r} has no function `entries`",
            "add `def entries(panel, context, params): ...` returning Orders",
        )
    if not callable(getattr(module, "silent_because", check_module)):
        raise StrategyError(
            f"strategy {name!r}: silent_because is no function",
            "write `def silent_because(panel, context, params): ...` returning words or None",
        )
    if not callable(getattr(module, "lookback_minutes", check_module)):
        raise StrategyError(
            f"strategy {name!r}: lookback_minutes is no function",
            "write `def lookback_minutes(params): ...` returning minutes",
        )
    needs = getattr(module, "NEEDS", ())
    if isinstance(needs, str) or not all(isinstance(need, str) for need in needs):
        raise StrategyError(
            f"strategy {name!r}: NEEDS is {needs!r}, not a tuple of field names",
            'write it as NEEDS = ("ltp", "oi")',
        )
    for need in needs:
        if need not in FIELDS:
            near = get_close_matches(need, FIELDS, 1)
            raise StrategyError(
                f"strategy {name!r} needs {need!r}, which is no field of a panel",
                f"did you mean {near[0]}?" if near else f"fields are {', '.join(FIELDS)}",
            )


def _check_params(name: str, params: Any) -> None:
    if not (isinstance(params, type) and is_dataclass(params)):
        raise StrategyError(
            f"strategy {name!r} has no dataclass `Params`",
            "add `@dataclass(frozen=True) class Params:` with its thresholds",
        )
    if not params.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise StrategyError(
            f"strategy {name!r}: its `Params` can be changed while it runs",
            "write `@dataclass(frozen=True)` above it",
        )
    try:
        params()
    except USER_CODE_ERRORS as error:
        raise StrategyError(
            f"strategy {name!r}: `Params()` failed: {type(error).__name__}: {error}",
            "give every parameter the value it has unless --set says otherwise",
        ) from error


def failed(name: str, rule: Callable[..., object], panel: Panel, error: Exception) -> OptiqError:
    """Return what to raise for an error that came while ``rule`` was asked for a panel's orders.

    An error of the market's facts, such as an expiry that no rule covers, stays what it is.
    """
    if isinstance(error, OptiqError) and not isinstance(error, StrategyError):
        return error
    file = getattr(getattr(rule, "__code__", None), "co_filename", "")
    line = line_in(file, error)
    where = f"{file}:{line}: " if line else ""
    day = f"{panel.underlying} {panel.date}, {panel.n_rows} rows"
    if isinstance(error, StrategyError):
        return StrategyError(f"strategy {name!r} failed on {day}: {where}{error}", error.hint)
    return StrategyError(
        f"strategy {name!r} failed on {day}: {where}{type(error).__name__}: {error}",
        _hint(error),
    )


def _hint(error: Exception) -> str:
    if isinstance(error, ValueError) and "read-only" in str(error):
        return "a panel's arrays cannot be written to; work on a copy, as panel.ltp.copy()"
    return "run its `entries` on that day's panel to see more"


def line_in(file: str, error: BaseException) -> int:
    """Return the last line of ``file`` in an error's traceback; 0 where it has none."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
