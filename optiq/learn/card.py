"""What a model card must say before it is stored, and what it may not.

A card is plain JSON. The registry adds ``kind version parent created`` and ``hashes.model``;
whoever trained writes the rest:

===================  ==============================================================================
``underlyings``      the indices it learnt; asked about another it is refused
``sessions``         ``{"first", "last", "n"}`` of the days it learnt from
``seen_until``       the last session that training or validation has seen
``features``         the ordered names, and ``features_hash`` (`registry.features_hash`)
``label``            the outcome it learnt, in words, with its exit rule and settings of the walk
``splits``           how rows were split, purged and embargoed, in words or a mapping
``rows``             ``{"train", "calibrate", "test", ...}``
``figures``          a list of ``Measured.to_json()``
``baselines``        a mapping from a baseline's name to such a list
``tables``           ``reliability`` and ``deciles``, see `checked_card`
``audit``            a list of ``{"check", "passed", "says"}``
``trials``           `trials.selection`: how many were tried, and what that leaves of the best
``limits``           a list of known limits; ``intended_use``: a sentence
``hashes``           ``{"data", "code", ...}``
===================  ==============================================================================
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optiq.errors import DamagedError, InputError
from optiq.learn.measured import Evidence, Measured

NOT_ADVICE = "Not investment advice."
REQUIRED = ("underlyings", "seen_until", "features", "features_hash")
QUALITY = (
    *("accuracy", "precision", "recall", "f1", "auc", "brier", "log_loss", "logloss", "ece"),
    *("win_rate", "sharpe", "sortino", "hit_rate", "lift", "skill"),
)
"""Words that name how good a model is: a number under such a name must be a `Measured`."""

_PROVEN = ("figures", "baselines", "tables")


def checked_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card as plain JSON with its defaults, or raise `InputError` saying what is wrong.

    Figures and baselines must be `Measured`; a table is ``{"evidence": Evidence.to_json(), "rows":
    [...]}``, the rows of ``reliability`` having ``predicted observed low high rows`` (0 to 1) and
    those of ``deciles`` ``decile net low high trades`` (rupees a trade), null where not known.
    Other tables may have any columns and are shown as they are. Anywhere else a number under the
    name of a quality, such as ``accuracy``, is refused.
    """
    for key in REQUIRED:
        if key not in card:
            raise InputError(f"a model card without {key}")
    whole = _plain({"figures": [], "limits": [], "advice": NOT_ADVICE, **card})
    try:
        dt.date.fromisoformat(whole["seen_until"])
        _prove(whole)
    except (DamagedError, TypeError, ValueError, KeyError, AttributeError) as reason:
        raise InputError(f"a model card: {reason}") from reason
    rest = {key: value for key, value in whole.items() if key not in _PROVEN}
    rest["trials"] = _without_deflated(whole.get("trials"))
    for name in _unproven(rest):
        raise InputError(
            f"a model card with a bare number for {name}",
            "put it under figures, as a Measured; in-sample numbers stay out of cards",
        )
    return whole


def figures(card: Mapping[str, Any]) -> list[Measured]:
    """Return the measured figures of a card, in its order."""
    return [Measured.from_json(figure) for figure in card.get("figures", ())]


def baselines(card: Mapping[str, Any]) -> dict[str, list[Measured]]:
    """Return the measured figures of each baseline by its name."""
    named = card.get("baselines") or {}
    return {name: [Measured.from_json(one) for one in listed] for name, listed in named.items()}


def _prove(card: Mapping[str, Any]) -> None:
    figures(card)
    baselines(card)
    for table in (card.get("tables") or {}).values():
        Evidence.from_json(table["evidence"])
        for row in table["rows"]:
            dict(row)


def _without_deflated(trials: Any) -> Any:
    """Take out the one quality that choosing itself has: never without the counts behind it."""
    if isinstance(trials, Mapping) and {"sessions", "effective_trials"} <= trials.keys():
        return {key: value for key, value in trials.items() if key != "deflated_sharpe"}
    return trials


def _unproven(value: Any, name: str = "") -> Iterator[str]:
    """Yield the names of qualities that hold a number."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _unproven(item, str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _unproven(item, name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        words = name.lower().replace(" ", "_").replace("-", "_")
        if any(f"_{quality}_" in f"_{words}_" for quality in QUALITY):
            yield name


def _plain(card: Mapping[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(card, allow_nan=False)
    except (TypeError, ValueError) as reason:
        raise InputError(f"a model card that is not plain JSON: {reason}") from reason
    plain: dict[str, Any] = json.loads(text)
    return plain
