"""One forecast of the direction model, told as tables and drawn as one SVG."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from optiq.learn.direction.labels import CLASS_NAMES
from optiq.learn.direction.look import Look
from optiq.learn.direction.windows import NAMES
from optiq.market.schema import IST_OFFSET

SHOWN = 10
_BAR = 24
_WIDTH, _LINE, _LEFT = 640, 18, 220

Bars = Sequence[tuple[str, float]]


def show_look(screen: Console, look: Look) -> None:
    """Print the probabilities, what carried them, and the rows that were attended to."""
    screen.print(f"{_title(look)}{' [yellow]in-sample[/yellow]' if look.in_sample else ''}")
    for heading, bars in _charts(look):
        rows = Table(title=heading, box=SIMPLE_HEAD, title_justify="left", pad_edge=False)
        rows.add_column("")
        rows.add_column("share", justify="right")
        rows.add_column("")
        for name, share in bars:
            filled = 0 if math.isnan(share) else round(_BAR * share)
            rows.add_row(name, "-" if math.isnan(share) else f"{share:.3f}", "█" * filled)
        screen.print(rows)


def drawn(look: Look) -> str:
    """Return the same as one self-contained SVG."""
    lines, y = [], 24
    lines.append(f'<text x="8" y="{y}" font-weight="bold">{html.escape(_title(look))}</text>')
    for heading, bars in _charts(look):
        y += 2 * _LINE
        lines.append(f'<text x="8" y="{y}" font-weight="bold">{html.escape(heading)}</text>')
        widest = max([share for _, share in bars if not math.isnan(share)] or [1.0])
        for name, share in bars:
            y += _LINE
            size = 0.0 if math.isnan(share) else (_WIDTH - _LEFT - 80) * share / max(widest, 1e-9)
            value = "-" if math.isnan(share) else f"{share:.3f}"
            lines += [
                f'<text x="8" y="{y}">{html.escape(name)}</text>',
                f'<rect x="{_LEFT}" y="{y - 11}" width="{size:.1f}" height="12" fill="#4477aa"/>',
                f'<text x="{_LEFT + size + 6:.1f}" y="{y}">{value}</text>',
            ]
    extent = f'width="{_WIDTH}" height="{y + _LINE}"'
    style = 'font-family="sans-serif" font-size="12"'
    body = "\n".join(lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {extent} {style}>\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _title(look: Look) -> str:
    local = str((look.moment + IST_OFFSET).astype("datetime64[s]")).replace("T", " ")
    acts = "acts on nothing" if math.isinf(look.threshold) else f"acts from {look.threshold:g}"
    return f"{look.underlying} {local} IST, direction {look.version} ({look.model}, {acts})"


def _charts(look: Look) -> list[tuple[str, Bars]]:
    top = np.argsort(-np.nan_to_num(look.features), kind="stable")[:SHOWN].tolist()
    local = (look.ts + IST_OFFSET).astype("datetime64[s]").tolist()
    latest = list(zip(local, look.rows.tolist(), strict=True))[::-1]
    return [
        ("probability", list(zip(CLASS_NAMES, look.probabilities.tolist(), strict=True))),
        (
            f"features: {look.means}",
            [(f"{NAMES[k]} = {look.values[k]:.4g}", float(look.features[k])) for k in top],
        ),
        ("rows attended to", [(f"{moment:%H:%M:%S}", share) for moment, share in latest]),
    ]
