"""Telling someone how an evening went, once an outcome, by the hooks of paper trading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optiq.learn.evening_manifest import Manifest
    from optiq.report.evening_summary import Summary
    from optiq.run.alerts import Alerts

PATIENCE_S = 30.0


def alerts_to(targets: Sequence[str]) -> Alerts:
    """Return the alerts; a target that makes no sense is an InputError."""
    from optiq.run.alerts import Alerts, target_of

    return Alerts([target_of(target) for target in targets])


def send(
    store: Path, alerts: Alerts, done: Sequence[Manifest], summaries: Sequence[Summary]
) -> None:
    """Send what is news; that it was sent is written down before, so that no one hears it twice.

    An evening that is done is the alert ``end``, any other ``fault``.
    """
    from optiq.cli.output import warn
    from optiq.learn import evening_manifest
    from optiq.report.evening_summary import text_of
    from optiq.run.alerts import Alert

    for manifest, summary in zip(done, summaries, strict=True):
        if not alerts.deliveries or manifest.told == manifest.state:
            continue
        evening_manifest.write(store, replace(manifest, told=manifest.state))
        kind = "end" if manifest.state == "done" else "fault"
        about = {"evening": summary.date, "state": summary.state, "summary": text_of(summary)}
        name = f"evening:{summary.date}:{summary.state.replace(' ', '-')}"
        alerts.send(Alert(kind, name, summary.headline, about))
    alerts.close(PATIENCE_S)
    for trouble in alerts.troubles():
        warn(trouble)
