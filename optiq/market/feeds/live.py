"""The live feeds by name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from optiq.errors import InputError
from optiq.market.feeds import dhan, nse, upstox
from optiq.market.feeds.chain_feed import ChainFeed, Source
from optiq.market.feeds.clocks import Clock
from optiq.market.feeds.secret import token

NAMES = (upstox.NAME, dhan.NAME, nse.NAME)


def open_feed(
    name: str,
    underlying: str,
    clock: Clock,
    *,
    environ: Mapping[str, str] = os.environ,
    base_url: str | None = None,
    timeout_s: float = 10.0,
    **checks: Any,
) -> ChainFeed:
    """Return a live feed for today; its token comes from the environment or the keyring.

    ``checks`` are those of `ChainFeed`. `InputError` for an unknown name or without a token,
    `RuleError` where today is no session.
    """
    source = _source(name, underlying, clock, environ, base_url, timeout_s)
    try:
        return ChainFeed(source, underlying, clock, **checks)
    except InputError:
        source.close()
        raise


def _source(
    name: str,
    underlying: str,
    clock: Clock,
    environ: Mapping[str, str],
    base_url: str | None,
    timeout_s: float,
) -> Source:
    if name == upstox.NAME:
        (key,) = (token(variable, environ) for variable in upstox.VARIABLES)
        return upstox.Upstox(underlying, key, clock, base_url=base_url, timeout_s=timeout_s)
    if name == dhan.NAME:
        key, client = (token(variable, environ) for variable in dhan.VARIABLES)
        return dhan.Dhan(underlying, key, client, clock, base_url=base_url, timeout_s=timeout_s)
    if name == nse.NAME:
        return nse.Nse(underlying, clock, base_url=base_url, timeout_s=timeout_s)
    raise InputError(f"no feed {name!r}", f"known are replay, {', '.join(NAMES)}")
