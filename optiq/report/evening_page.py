"""An evening as one HTML page: everything inside it, no network, no script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optiq import __version__
from optiq.learn.evening.manifest import Manifest
from optiq.learn.measured import Measured
from optiq.report.evening_summary import Summary
from optiq.report.measured_table import bounds_text, evidences, number_text
from optiq.report.template import MINUS, asset, environment, policy


def evening_page(manifest: Manifest, summary: Summary) -> str:
    """Return the page of an evening; the same manifest, the same page."""
    page = environment().get_template("evening.html")
    _, _, said = summary.headline.partition(": ")
    return page.render(
        summary=summary,
        day=f"{manifest.date:%a} {manifest.date}",
        said=said[:1].upper() + said[1:],
        tiles=_tiles(manifest),
        verdicts=[_verdict(kind, told) for kind, told in manifest.facts("judge").items()],
        parts=[part for part in summary.parts if part[0] != "What to look at"],
        version=__version__,
        styles="\n".join(asset(name) for name in ("page.css", "card.css", "evening.css")),
        policy=policy([]),
    )


def _tiles(manifest: Manifest) -> list[tuple[str, str, str]]:
    """Return the four figures at the top: label, value, what is beneath."""
    rows = sum(day["rows"] for day in manifest.facts("check").values())
    episodes = sum(told["episodes"] for told in manifest.facts("episodes").values())
    promoted = sum(told["promoted"] for told in manifest.facts("judge").values())
    drifted = manifest.facts("drift").values()
    moved = str(sum(len(found["alarms"]) for found in drifted)) if drifted else "-"
    compared = sum(found["compared"] for found in drifted)
    judged = len(manifest.facts("judge"))
    return [
        ("quotes kept", f"{rows:,}", "of the day, in the store"),
        ("episodes", f"{episodes:,}", "decisions with all their outcomes"),
        ("promoted", str(promoted), f"of {judged} new {'model' if judged == 1 else 'models'}"),
        ("moved", moved, f"of {compared} compared" if drifted else "not compared"),
    ]


def _verdict(kind: str, told: Mapping[str, Any]) -> dict[str, Any]:
    figures = [Measured.from_json(figure) for figure in told["figures"]]
    return {
        "title": f"{kind} {told['version']}",
        "rests_on": "; ".join(evidences(figures)),
        "lines": [
            (
                figure.metric,
                number_text(figure.interval.value).replace("-", MINUS),
                bounds_text(figure).replace("-", MINUS),
            )
            for figure in figures
        ],
    }
