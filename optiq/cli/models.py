"""``optiq models``: what was learnt, whether it is whole, and which of it serves."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optiq.cli.options import MODELS, STORE, ConfigOption, JsonOption, ModelsOption, StoreOption
from optiq.errors import DamagedError, EvidenceError, InputError

if TYPE_CHECKING:
    from optiq.learn.gates import Verdict
    from optiq.learn.version_folder import Stored

app = typer.Typer(help="The models: list, read, verify, promote.", no_args_is_help=True)

KindArgument = Annotated[str, typer.Argument(help="scorer, policy or direction.")]
AnyKindArgument = Annotated[
    str | None, typer.Argument(help="scorer, policy or direction; without it, all.")
]
VersionArgument = Annotated[
    str | None,
    typer.Argument(
        help="Such as 1.0.1, or champion, candidate, previous; without it, the champion or else "
        "the candidate.",
        show_default=False,
    ),
]
CandidateArgument = Annotated[
    str | None,
    typer.Argument(help="Such as 1.0.1; without it, the candidate.", show_default=False),
]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Why; it is written down.")
]


@app.command("ls")
def ls(
    kind: AnyKindArgument = None,
    config: ConfigOption = None,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """List the versions there are, who serves, and what each is worth out of sample."""
    from optiq.cli.output import emit
    from optiq.learn import inventory
    from optiq.report.model_tables import show_entries

    found = inventory.entries(models, kind)
    emit({"models": found}, as_json=as_json, show=lambda screen: show_entries(screen, found))


@app.command("show")
def show(
    kind: KindArgument,
    version: VersionArgument = None,
    config: ConfigOption = None,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Print a version's card; its page, card.html, says it all.

    Figures were measured out of sample, each with its interval over sessions and beside its
    baselines. Where there is no model, or none of its figures was measured, it says so.
    """
    from optiq.cli.output import emit
    from optiq.learn import gates, registry
    from optiq.learn.measured import in_words
    from optiq.report.model_tables import show_model

    named = registry.aliases(models, kind)
    asked = version or named["champion"] or named["candidate"]
    if asked is None:
        nothing = {"kind": kind, "version": None, "card": None}
        words = f"No {kind} in {models}; {in_words('accuracy', None)}."
        emit(
            nothing,
            as_json=as_json,
            show=lambda screen: screen.print(words, soft_wrap=True),
        )
        return
    stored = registry.load(models, kind, asked)
    promotions = [p for p in registry.promotions(models, kind) if p.version == stored.version]
    verdicts = [v for v in gates.verdicts(models, kind) if v["version"] == stored.version]
    result = {
        "kind": kind,
        "version": stored.version,
        "folder": stored.folder,
        "card": stored.card,
        "promotions": promotions,
        "verdicts": verdicts,
    }
    emit(
        result,
        as_json=as_json,
        show=lambda screen: show_model(screen, stored, promotions, verdicts),
    )


@app.command("verify")
def verify(
    kind: AnyKindArgument = None,
    version: CandidateArgument = None,
    config: ConfigOption = None,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Check every file of every version, the pointers and the ledgers; exit 3 if one is changed."""
    from optiq.cli.output import emit
    from optiq.learn import inventory
    from optiq.report.model_tables import show_checks

    checks = inventory.verify(models, kind, version)
    faults = [check.fault for check in checks if check.fault]
    result: dict[str, Any] = {"checks": checks, "faults": len(faults)}
    if faults and as_json:
        told = {"code": DamagedError.code, "message": faults[0], "hint": ""}
        result = {"ok": False, "error": told, **result}
    emit(result, as_json=as_json, show=lambda screen: show_checks(screen, checks))
    if faults:
        raise typer.Exit(DamagedError.exit_code)


@app.command("add")
def add(
    folder: Annotated[
        Path, typer.Argument(help="A version's folder, such as models/scorer/1.0.1 of elsewhere.")
    ],
    config: ConfigOption = None,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Take in a version that was trained on another machine, as a candidate.

    Its hashes are checked, and its files opened in a child process first. It
    serves once `optiq models promote` has judged it on sessions stored here.
    """
    from optiq.cli.output import emit
    from optiq.learn.adopting import adopt
    from optiq.report.card import card_page

    kind, version = adopt(models, folder, render=card_page)
    emit(
        {"kind": kind, "version": version, "promoted": False},
        as_json=as_json,
        show=lambda screen: screen.print(
            f"{kind} {version} is a candidate, not promoted.", soft_wrap=True
        ),
    )


@app.command("promote")
def promote(
    kind: KindArgument,
    version: CandidateArgument = None,
    force: Annotated[
        bool, typer.Option("--force", help="Promote without asking the gate; needs --reason.")
    ] = False,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Let a version serve, if it proves better on stored sessions that no model has seen.

    It is judged against the champion on at least twenty such sessions; each look
    at them is written down, and five new ones are needed for the next. Refused,
    it says why and roughly how many more sessions it would take, and exits 4.
    It takes effect on the session after the last one that was looked at.
    """
    from optiq.cli.output import emit
    from optiq.learn import gates, registry
    from optiq.learn.promoting import case_of, first_session
    from optiq.report.model_tables import promotion_line

    if force and not (reason or "").strip():
        raise InputError("--force without --reason", 'give --reason "why", it is written down')
    with gates.deciding(models, kind):
        challenger = registry.load(models, kind, version or "candidate")
        if challenger.version == registry.aliases(models, kind)["champion"]:
            raise InputError(f"{kind} {challenger.version} is the champion already")
        verdict = None
        days: tuple[dt.date, ...] = ()
        if not force:
            case = case_of(models, store, challenger)
            verdict, days = gates.judge(case), case.sessions
            if not verdict.passed:
                _refuse(challenger, verdict, as_json)
        promotion = registry.promote(
            models,
            kind,
            challenger.version,
            takes_effect=first_session(
                max([registry.seen_until(challenger), *days]) + dt.timedelta(days=1)
            ),
            reason=reason or "; ".join(verdict.reasons if verdict else ()) or "passed the gate",
            forced=force,
        )
    emit(
        {"kind": kind, "promoted": True, "promotion": promotion, "verdict": _told(verdict)},
        as_json=as_json,
        show=lambda screen: screen.print(f"{kind}: {promotion_line(promotion)}"),
    )


@app.command("rollback")
def rollback(
    kind: KindArgument,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Let the version before the champion serve again, today or, once it is nine, tomorrow."""
    from optiq.cli.output import emit
    from optiq.learn import registry
    from optiq.report.model_tables import promotion_line

    done = registry.rollback(models, kind, reason=reason or "rollback")
    emit(
        {"kind": kind, "promotion": done},
        as_json=as_json,
        show=lambda screen: screen.print(f"{kind}: {promotion_line(done)}"),
    )


def _refuse(challenger: Stored, verdict: Verdict, as_json: bool) -> None:
    """Print why, with what was measured, and leave with the status of too little evidence."""
    from optiq.cli.output import console, write_json
    from optiq.learn.gates import refusal
    from optiq.report.model_tables import show_figures

    error = refusal(challenger.kind, challenger.version, verdict)
    if not as_json:
        show_figures(console(), verdict.figures)
        raise error
    told = {"code": error.code, "message": str(error), "hint": error.hint}
    write_json({"ok": False, "error": told, "promoted": False, "verdict": _told(verdict)})
    raise typer.Exit(EvidenceError.exit_code)


def _told(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "passed": verdict.passed,
        "reasons": verdict.reasons,
        "figures": [figure.to_json() for figure in verdict.figures],
        "sessions_needed": verdict.sessions_needed,
    }
