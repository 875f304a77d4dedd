"""optiq: research, backtest and paper-trade Indian index options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optiq.compiled import keep_compiled_code_apart

if TYPE_CHECKING:
    from optiq.market.context import Context
    from optiq.market.panel import Panel
    from optiq.run.returns import daily_returns
    from optiq.trade.orders import ExitRule, Orders

__all__ = ["Context", "ExitRule", "Orders", "Panel", "daily_returns"]
__version__ = "0.1.0"

keep_compiled_code_apart()

_HOMES = {
    "Context": "optiq.market.context",
    "ExitRule": "optiq.trade.orders",
    "Orders": "optiq.trade.orders",
    "Panel": "optiq.market.panel",
    "daily_returns": "optiq.run.returns",
}


def __getattr__(name: str) -> Any:
    """Import the public names on first use, so that ``optiq --help`` loads no numpy."""
    if name not in _HOMES:
        raise AttributeError(f"module 'optiq' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
