"""What a scorer must beat: a regression on moneyness alone, and the scorer that serves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from optiq.errors import MissingDataError
from optiq.learn import registry
from optiq.learn.dataset import Dataset
from optiq.learn.scorer.fit import NAMES
from optiq.learn.scorer.model import KIND, Question, ScorerModel
from optiq.learn.validate import Fold
from optiq.market.schema import IST_OFFSET, FloatArray, IntArray

MONEYNESS = NAMES.index("moneyness")


def moneyness_chance(data: Dataset, fold: Fold) -> FloatArray:
    """Return the test rows' chances by a logistic regression on moneyness and its square.

    Fitted, and its scale and fill for missing values found, on train and calibrate together.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    learnt = np.concatenate([fold.train, fold.calibrate])
    model = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        PolynomialFeatures(2, include_bias=False),
        StandardScaler(),
        LogisticRegression(),
    )
    x = data.features[:, [MONEYNESS]].astype(np.float64)
    model.fit(x[learnt], data.won[learnt])
    chances: FloatArray = model.predict_proba(x[fold.test])[:, 1]
    return chances


@dataclass(frozen=True)
class Champion:
    """The scorer that serves, as far as it can be compared; ``why_not`` says why it cannot."""

    version: str
    model: ScorerModel
    sees_until: np.datetime64
    sha256: str

    def unseen(self, data: Dataset, rows: IntArray) -> IntArray:
        """Return those of some rows whose session it has not seen."""
        first_unseen = self.sees_until.astype("datetime64[D]")
        new: IntArray = rows[data.session[rows] > first_unseen]
        return new

    def fitted_until(self) -> np.datetime64:
        """Return the midnight in India after the last session it has seen."""
        midnight = (self.sees_until + np.timedelta64(1, "D")).astype("datetime64[us]")
        return np.datetime64(midnight - IST_OFFSET)


def champion_of(models: Path, question: Question) -> tuple[Champion | None, str]:
    """Return the scorer that serves and "", or None and in a few words why there is none."""
    try:
        stored = registry.load(models, KIND, "champion")
    except MissingDataError:
        return None, "no champion yet"
    model = ScorerModel.from_files(stored.files)
    if not _same(model.question, question):
        return None, f"the champion {stored.version} answers another question"
    seen = np.datetime64(registry.seen_until(stored))
    return Champion(stored.version, model, seen, stored.model_sha256), ""


def _same(one: Question, other: Question) -> bool:
    is_taught = set(other.underlyings) <= set(one.underlyings)
    return is_taught and one.to_json()["exits"] == other.to_json()["exits"]
