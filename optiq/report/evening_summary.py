"""An evening on one page, as sentences: the text, the JSON and the HTML all say these."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from optiq.learn.evening.manifest import Manifest
from optiq.market.schema import IST
from optiq.report.money import grouped

KINDS = ("scorer", "policy", "direction")
WORDS = {
    "done": "done",
    "failed": "failed",
    "no data": "no data",
    "open": "not finished",
}
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Summary:
    """What happened, in the order in which a person asks."""

    date: str
    state: str
    headline: str
    look_at: tuple[str, ...]
    came_in: tuple[str, ...]
    learnt: tuple[str, ...]
    decided: tuple[str, ...]
    drifted: tuple[str, ...]
    steps: tuple[tuple[str, str, str], ...]

    @property
    def parts(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return the headings with their sentences; a part without any is left out."""
        named = (
            ("What to look at", self.look_at),
            ("What came in", self.came_in),
            ("What was learnt", self.learnt),
            ("Promoted or refused", self.decided),
            ("What drifted", self.drifted),
        )
        return [(heading, lines) for heading, lines in named if lines]


def summary_of(manifest: Manifest, champions: dict[str, str]) -> Summary:
    """Return an evening's summary; ``champions`` says in words who serves, by kind."""
    return Summary(
        date=manifest.date.isoformat(),
        state=manifest.state,
        headline=_headline(manifest),
        look_at=tuple(_look_at(manifest)),
        came_in=tuple(_came_in(manifest)),
        learnt=tuple(_learnt(manifest)),
        decided=(*_decided(manifest), *champions.values()),
        drifted=tuple(_drifted(manifest)),
        steps=tuple((name, s.status, s.reason) for name, s in manifest.steps.items()),
    )


def text_of(summary: Summary) -> str:
    """Return the page as text for a log."""
    lines = [summary.headline]
    for heading, sentences in summary.parts:
        lines += [f"{heading}:", *(f"  {sentence}" for sentence in sentences)]
    return "\n".join(lines)


def _headline(manifest: Manifest) -> str:
    failed = [name for name, step in manifest.steps.items() if step.status == "failed"]
    promoted = [kind for kind, told in manifest.facts("judge").items() if told["promoted"]]
    said = WORDS[manifest.state]
    if manifest.state == "failed":
        said = f"failed at {failed[0]}"
    if promoted:
        said += f", new champion: {', '.join(promoted)}"
    elif manifest.state == "failed":
        said += "; the champion serves on"
    elif manifest.state == "done":
        said += ", nobody was promoted"
    return f"Evening of {manifest.date:%a} {manifest.date}: {said}"


def _look_at(manifest: Manifest) -> Iterator[str]:
    for name, step in manifest.steps.items():
        if step.status == "failed":
            yield f"{name} failed: {step.reason}"
    for failure in manifest.facts("ingest").get("failed", ()):
        yield f"left out: {failure}"
    for name, day in manifest.facts("check").items():
        for odd in day["odd"]:
            yield f"{name}: {odd}"
    for name, found in manifest.facts("drift").items():
        if found["alarms"]:
            many, day = len(found["alarms"]), manifest.date
            asked = f"see optiq drift --underlying {name} --date {day}"
            yield f"{name}: {many} of {found['compared']} things compared moved; {asked}"


def _came_in(manifest: Manifest) -> Iterator[str]:
    yield from manifest.facts("ingest").get("missing", ())
    for name, day in manifest.facts("check").items():
        for source in day["sources"]:
            yield (
                f"{name} from {source['name']}: {grouped(source['rows_in'])} rows, "
                f"{grouped(source['rows_kept'])} kept, {grouped(source['duplicates'])} twice, "
                f"{grouped(source['quarantined'])} in quarantine"
            )
        yield from (f"{name}: {note}" for note in day["notes"])
        yield (
            f"{name}: {grouped(day['snapshots'])} snapshots of {grouped(day['contracts'])} "
            f"contracts, {_clock(day['first'])} to {_clock(day['last'])} IST"
        )
    for name, told in manifest.facts("episodes").items():
        yield f"{name}: {grouped(told['episodes'])} episodes ({told['from']})"


def _clock(moment: str) -> str:
    return f"{dt.datetime.fromisoformat(moment).astimezone(IST):%H:%M}"


def _learnt(manifest: Manifest) -> Iterator[str]:
    for kind in KINDS:
        step = manifest.steps.get(kind)
        if step is None:
            continue
        if step.status != "done":
            yield f"{kind}: {step.status}: {step.reason}"
            continue
        told = step.facts
        seen = f", has seen everything until {told['seen_until']}" if "seen_until" in told else ""
        yield f"{kind} {told['version']}{seen}"
        yield from (f"{kind}: {note}" for note in told.get("notes", ()))


def _decided(manifest: Manifest) -> Iterator[str]:
    step = manifest.steps.get("judge")
    if step is not None and step.status != "done":
        yield f"{step.status}: {step.reason}"
    for kind, told in manifest.facts("judge").items():
        said = "; ".join(told["reasons"]) or "no reason given"
        if told["promoted"]:
            yield f"{kind} {told['version']} promoted, serves from {told['takes_effect']}: {said}"
        else:
            yield f"{kind} {told['version']} refused: {said}{_more(told)}"


def _more(told: dict[str, Any]) -> str:
    needed = told["sessions_needed"]
    return f"; about {grouped(needed)} more sessions are needed" if needed else ""


def _drifted(manifest: Manifest) -> Iterator[str]:
    step = manifest.steps.get("drift")
    if step is not None and step.status != "done":
        yield f"{step.status}: {step.reason}"
    for name, found in manifest.facts("drift").items():
        alarms = found["alarms"]
        named = ", ".join(_moved(alarm) for alarm in alarms[:MOST_NAMED])
        more = f" and {len(alarms) - MOST_NAMED} more" if len(alarms) > MOST_NAMED else ""
        against = f"against {found['against']} sessions"
        yield f"{name}: {named}{more}, {against}" if alarms else f"{name}: nothing, {against}"
        if scores := found.get("scores"):
            compared = scores["why_not"] or f"compared with {scores['against']} unseen sessions"
            yield f"{name}: scores of scorer {scores['version']}: {compared}"


def _moved(alarm: dict[str, Any]) -> str:
    return f"{alarm['feature']} ({alarm['part']}, {alarm['excess']:.1f} x its threshold)"
