"""Implied volatility and four Greeks: options per second of one thread, beside peers and goals.

    python bench/iv_kernel.py

The peers are measured in the same run on the same options when they can be imported (lbriv, scipy).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from optiq.market.black76 import LANES, N_VALUES, black76_price, solve_all, solve_lanes
from optiq.market.schema import MINUTES_PER_YEAR, FloatArray

OPTIONS = 1_000_000
CHAIN = 174
STATED_LBRIV_MILLIONS = 2.35
AVX2 = "+64bit,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt"
"""Without these numba takes the features of this processor, whatever its name."""


def market(n: int, seed: int = 7) -> tuple[FloatArray, ...]:
    """Return price, forward, strike, years, volatility of n options out of the money.

    Index levels, 1 minute to 3 months, 8 to 40 %, up to 4 deviations away, worth a tick or more.
    """
    rng = np.random.default_rng(seed)
    n_drawn = 3 * n
    forward = rng.uniform(20_000.0, 60_000.0, n_drawn)
    years = np.exp(rng.uniform(np.log(1.0), np.log(90 * 1440.0), n_drawn)) / MINUTES_PER_YEAR
    volatility = rng.uniform(0.08, 0.40, n_drawn)
    away = np.clip(rng.normal(0.0, 1.5, n_drawn), -4.0, 4.0)
    strike = forward * np.exp(volatility * np.sqrt(years) * away)
    price = black76_price(forward, strike, years, volatility, np.where(strike >= forward, 1, -1))
    kept = np.flatnonzero(price >= 0.05)[:n]
    return price[kept], forward[kept], strike[kept], years[kept], volatility[kept]


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call, the first one not counted."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def kernel_millions() -> float:
    """Return millions of options per second of the kernel."""
    price, forward, strike, years, _ = market(OPTIONS)
    solved = np.empty((5, OPTIONS))
    return OPTIONS / seconds(lambda: solve_all(price, forward, strike, years, solved), 9) / 1e6


def avx2_millions() -> float:
    """Return the same for a processor without AVX-512, compiled in another process."""
    environment = dict(os.environ, NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES=AVX2)
    command = [sys.executable, __file__, "--only-millions"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def chain_microseconds(n: int) -> float:
    """Return what one chain of n contracts takes, its prices already gathered."""
    price, forward, strike, years, _ = market(n)
    work = np.zeros(N_VALUES * LANES)
    for place, values in enumerate((price, forward, strike, years)):
        work[place * LANES : place * LANES + n] = values
    return seconds(lambda: [solve_lanes(work, n) for _ in range(1000)], 9) * 1e3


def worst_error() -> float:
    """Return the largest error of the volatility that a price was made from."""
    price, forward, strike, years, volatility = market(OPTIONS)
    solved = np.empty((5, OPTIONS))
    solve_all(price, forward, strike, years, solved)
    return float(np.max(np.abs(solved[0] - volatility)))


def lbriv_millions() -> float | None:
    """Return millions per second of lbriv's volatility, delta, gamma and vega; None if absent."""
    try:
        from lbriv import compute_trades_greeks
    except ImportError:
        return None
    price, forward, strike, _, _ = market(OPTIONS)
    is_call = (strike >= forward).astype(np.int8)
    ones = np.ones(OPTIONS)
    out = [np.empty(OPTIONS) for _ in range(4)]
    took = seconds(lambda: compute_trades_greeks(price, forward, strike, is_call, ones, *out), 5)
    return OPTIONS / took / 1e6


def brentq_millions() -> float | None:
    """Return millions per second of scipy's brentq on the price alone; None if absent."""
    try:
        from scipy.optimize import brentq
        from scipy.special import ndtr
    except ImportError:
        return None
    price, forward, strike, years, _ = (values[:2000] for values in market(OPTIONS))

    def excess(volatility: float, i: int) -> float:
        deviation = volatility * np.sqrt(years[i])
        d1 = np.log(forward[i] / strike[i]) / deviation + deviation / 2
        side = 1.0 if strike[i] >= forward[i] else -1.0
        paid = strike[i] * ndtr(side * (d1 - deviation))
        return float(side * (forward[i] * ndtr(side * d1) - paid) - price[i])

    took = seconds(lambda: [brentq(excess, 1e-3, 5.0, (i,)) for i in range(2000)], 1)
    return 2000 / took / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only-millions", action="store_true", help="print one number")
    if parser.parse_args().only_millions:
        print(kernel_millions())
        return
    ours, narrow = kernel_millions(), avx2_millions()
    peer, slow = lbriv_millions(), brentq_millions()
    measured = peer or STATED_LBRIV_MILLIONS
    source = "measured here" if peer else "as stated; lbriv is not installed here"
    rows = (
        ("1M options, this processor (M/s)", f"{ours:.1f}", f"{10 * measured:.1f} (AVX-512)"),
        ("1M options, AVX2 only (M/s)", f"{narrow:.1f}", f"{6 * measured:.1f}"),
        (f"a chain of {CHAIN} contracts (us)", f"{chain_microseconds(CHAIN):.1f}", "15"),
        (
            f"its {CHAIN // 2} strikes, as a day is priced (us)",
            f"{chain_microseconds(CHAIN // 2):.1f}",
            "",
        ),
        ("largest IV error, price >= 0.05", f"{worst_error():.1e}", "1e-12"),
        ("lbriv, IV + 3 Greeks (M/s)", f"{measured:.2f}", source),
        ("times lbriv, this processor", f"{ours / measured:.1f}", "10 (AVX-512)"),
        ("times lbriv, AVX2 only", f"{narrow / measured:.1f}", "6"),
        ("scipy brentq, IV alone (M/s)", "not installed" if slow is None else f"{slow:.4f}", ""),
    )
    print(f"{'one thread':<46}{'measured':>14}  goal")
    for name, value, goal in rows:
        print(f"{name:<46}{value:>14}  {goal}")


if __name__ == "__main__":
    main()
