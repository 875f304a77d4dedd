"""After how many rows to cut a day so that whatever looks ahead shows."""

from __future__ import annotations

import numpy as np

from optiq.market.day_view import rows_before_holes
from optiq.market.panel import Panel
from optiq.market.schema import IntArray
from optiq.run.said import Said


def blind_cuts(panel: Panel, n_random: int, rng: np.random.Generator) -> list[int]:
    """Return after how many rows to cut, whatever is said there; ascending.

    Always 0, 1 and 2; both sides of every hole; just before and after the last contract appears;
    the last rows and the whole length; and ``n_random`` others.
    """
    chain_rows = np.flatnonzero(panel.is_chain)
    before = rows_before_holes(panel.ts[chain_rows])
    holes = [*chain_rows[before] + 1, *chain_rows[before + 1] + 1]
    appear = panel.first_row
    newest = int(appear[appear < panel.n_rows].max(initial=0))
    always = [0, 1, 2, *holes, newest, newest + 1, *range(panel.n_rows - 2, panel.n_rows + 1)]
    others = rng.permutation(panel.n_rows + 1)[:n_random]
    chosen = np.unique(np.clip([*always, *others], 0, panel.n_rows))
    return [int(cut) for cut in chosen]


def pointed_cuts(whole: Said, n_rows: int, n: int, rng: np.random.Generator) -> IntArray:
    """Return up to ``n`` cuts right after rows where what is said of a contract begins or ends.

    There a peek of one row shows: the last row of such a cut is the one that was peeked from.
    Where there are fewer such rows, others are drawn.
    """
    _, contract = np.unique(whole.first_contract(), return_inverse=True)
    place = contract * (n_rows + 1) + whole.row  # one apart where the rows are, in one contract
    begins = whole.row[~np.isin(place - 1, place)]
    ends = whole.row[~np.isin(place + 1, place)] + 1
    telling = np.unique(np.concatenate([begins, ends[ends < n_rows]]))
    rows = rng.permutation(telling)[:n]
    others = rng.permutation(np.setdiff1d(np.arange(n_rows), rows))[: n - len(rows)]
    cuts: IntArray = np.sort(np.concatenate([rows, others])) + 1
    return cuts
