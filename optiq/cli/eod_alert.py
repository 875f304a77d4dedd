"""Telling someone how an evening went, once an outcome, by the hooks of paper trading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from optiq.errors import InputError

if TYPE_CHECKING:
    from optiq.learn.evening.manifest import Manifest
    from optiq.report.evening_summary import Summary
    from optiq.run.alerts import Alerts

PATIENCE_S = 30.0


def alerts_to(targets: Sequence[str], *, is_cron: bool = False) -> Alerts:
    """Return the alerts; a target that makes no sense is an InputError.

    But no reason for cron to leave the evening undone: it is warned of in the log.
    """
    from optiq.cli.output import warn
    from optiq.run.alerts import Alerts, Target, target_of

    found: list[Target] = []
    for target in targets:
        try:
            found.append(target_of(target, beside=targets))
        except InputError as error:
            if not is_cron:
                raise
            warn(f"{error}; nobody is told there")
    return Alerts(found)


def unheard_by_cron(targets: Sequence[str]) -> list[str]:
    """Return what to do about targets that name a variable, which cron does not know."""
    from optiq.run.alerts import BY_VARIABLE

    return [
        f"evening.alert {target}: cron starts without your environment; write "
        f"{target.removeprefix(BY_VARIABLE)}=... "
        "at the top of the crontab (crontab -e), or into the unit (systemctl --user edit)"
        for target in targets
        if target.startswith(BY_VARIABLE)
    ]


def send(
    store: Path, alerts: Alerts, done: Sequence[Manifest], summaries: Sequence[Summary]
) -> None:
    """Send what is news; that it was sent is written down before, so that no one hears it twice.

    An evening that is done is the alert ``end``, any other ``fault``.
    """
    from optiq.cli.output import warn
    from optiq.learn.evening import manifest as evening_manifest
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
