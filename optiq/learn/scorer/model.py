"""The signal scorer: trees, their calibration, and what they may be asked about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from optiq.errors import DamagedError, InputError
from optiq.learn.scorer.calibration import AS_IT_IS, Calibration, calibrated
from optiq.learn.scorer.fit import (
    NAMES,
    Examples,
    FitSettings,
    Fitted,
    booster_of,
    fit,
    threads_for,
)
from optiq.learn.version_folder import files_sha256
from optiq.market.feature_table import FEATURES
from optiq.market.schema import AnyArray, FloatArray
from optiq.trade.orders import ExitRule

if TYPE_CHECKING:
    from lightgbm import Booster

KIND = "scorer"
TREES, CALIBRATION, FEATURE_LIST = "model.txt", "calibration.json", "features.json"
LEAST_KNOWN = len(NAMES) // 2
"""With fewer features known, a scorer cannot say."""


def feature_hash() -> str:
    """Return a digest of what the features mean: names, formulas, units and windows, in order."""
    text = repr([(f.name, f.formula, f.unit, f.window) for f in FEATURES])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Question:
    """What a scorer was taught to answer: will buying pay, under this rule, on these indices.

    ``rule_name`` is the strategy whose exit rule it is.
    """

    rule_name: str
    rule: ExitRule
    underlyings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; an exit that is off is null."""
        rule = {name: None if np.isnan(at) else at for name, at in asdict(self.rule).items()}
        return {
            "rule": self.rule_name,
            "exits": rule,
            "underlyings": list(self.underlyings),
            "features": list(NAMES),
            "feature_hash": feature_hash(),
        }

    @classmethod
    def from_json(cls, value: Any) -> Question:
        """Read what ``to_json`` wrote.

        `DamagedError` for anything else, features of another version of optiq among it.
        """
        try:
            if value["features"] != list(NAMES) or value["feature_hash"] != feature_hash():
                raise DamagedError(
                    "the scorer was trained on other features than this version of optiq makes",
                    "train it anew with `optiq train-scorer`",
                )
            exits = {n: np.nan if at is None else float(at) for n, at in value["exits"].items()}
            return cls(str(value["rule"]), ExitRule(**exits), tuple(value["underlyings"]))
        except (KeyError, TypeError, ValueError, AttributeError) as reason:
            message = f"a scorer's {FEATURE_LIST} is not what was written: {reason}"
            raise DamagedError(message, "train it anew with `optiq train-scorer`") from reason


@dataclass(frozen=True)
class ScorerModel:
    """A trained scorer."""

    question: Question
    trees: str
    calibration: Calibration

    @cached_property
    def booster(self) -> Booster:
        """The trees, ready to be asked."""
        return booster_of(self.trees)

    def margin(self, features: AnyArray, threads: int = 1) -> FloatArray:
        """Return (n,) what the trees say of rows of features (n, 34), in log odds."""
        return np.asarray(self.booster.predict(features, raw_score=True, num_threads=threads))

    def chance(self, features: AnyArray, threads: int = 1) -> FloatArray:
        """Return (n,) the calibrated P(net P&L > 0); NaN where half the features are unknown."""
        return self.chance_of(self.margin(features, threads), features)

    def chance_of(self, margin: FloatArray, features: AnyArray) -> FloatArray:
        """Return the same where the margin of the rows is known already."""
        chances = self.calibration(margin)
        chances[np.isnan(features).sum(axis=1) > len(NAMES) - LEAST_KNOWN] = np.nan
        return chances

    def score(self, features: AnyArray) -> FloatArray:
        """Return (n,) whole scores, 0 to 100: a score of 70 means a chance of 70 %."""
        return np.rint(100.0 * self.chance(features))

    def files(self) -> dict[str, bytes]:
        """Return the model as the files of a version folder."""
        return {
            TREES: self.trees.encode(),
            CALIBRATION: _json(self.calibration.to_json()),
            FEATURE_LIST: _json(self.question.to_json()),
        }

    @property
    def sha256(self) -> str:
        """The hash of its files, that figures name."""
        return files_sha256(self.files())

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> ScorerModel:
        """Read what `files` gave.

        Only for files whose manifest was checked: LightGBM aborts the process on some damaged
        texts. `DamagedError` where a file is missing or is not what was written.
        """
        if missing := [n for n in (TREES, CALIBRATION, FEATURE_LIST) if n not in files]:
            raise DamagedError(f"a scorer without {missing[0]}", "train it anew")
        try:
            calibration, question = (
                json.loads(files[name].decode()) for name in (CALIBRATION, FEATURE_LIST)
            )
            trees = files[TREES].decode()
        except ValueError as reason:
            raise DamagedError(f"a scorer's file cannot be read: {reason}", "train it") from reason
        return cls(Question.from_json(question), trees, Calibration.from_json(calibration))

    def require(self, underlying: str) -> None:
        """Refuse an underlying the scorer has never seen."""
        if underlying not in self.question.underlyings:
            known = ", ".join(self.question.underlyings)
            raise InputError(
                f"the scorer learnt {known} and knows nothing of {underlying}",
                f"train one: optiq train-scorer --underlying {underlying}",
            )


def trained(
    question: Question,
    train: Examples,
    calibrate: Examples,
    settings: FitSettings | None = None,
    *,
    threads: int | None = None,
) -> tuple[ScorerModel, Fitted]:
    """Fit a scorer on ``train``, stop and calibrate it on ``calibrate``."""
    fitted = fit(train, calibrate, settings, threads=threads)
    bare = ScorerModel(question, fitted.text, AS_IT_IS)
    margin = bare.margin(calibrate.features, threads or threads_for(len(calibrate)))
    calibration = calibrated(margin, calibrate.won, calibrate.n_sessions)
    return ScorerModel(question, fitted.text, calibration), fitted


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()
