"""A direction model as it serves: one interface for the transformer and what it is measured by.

Whatever is inside, `DirectionModel` takes what is seen of a day and returns probabilities of sell,
hold and buy, computed in blocks of one size counted from the open, on one thread: matrix products
of other sizes differ in their last bits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from optiq.errors import DamagedError
from optiq.learn.direction.labels import LabelRule
from optiq.learn.direction.windows import LENGTH, Inputs, Scaler, Seen, inputs_of
from optiq.market.schema import FloatArray, IntArray

SETTINGS = "model.json"
EVEN = (1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0)
BLOCK = 32
"""Windows computed at once; a row's place in its block counts from the open."""


class Forecaster(Protocol):
    """What is inside: anything that forecasts windows."""

    @property
    def name(self) -> str:
        """What tables and cards call it."""

    def probabilities(self, inputs: Inputs) -> FloatArray:
        """Return (k, 3) of each window, before calibration; each row adds up to 1."""

    def files(self) -> dict[str, bytes]:
        """Return what its part of a stored version holds."""


@dataclass(frozen=True)
class DirectionModel:
    """A forecaster, what it was scaled by, and how sure it may be.

    Attributes
    ----------
    temperature
        Divides the logarithm of probabilities over ``base``: above 1 it was too sure of itself.
    threshold
        Least probability of buy or sell to act on; NaN where no threshold earned anything.
    base
        How often each class came in training: what a model that knows nothing should say.
    """

    forecaster: Forecaster
    scaler: Scaler
    rule: LabelRule
    temperature: float = 1.0
    threshold: float = math.nan
    base: tuple[float, float, float] = EVEN

    @property
    def acts_from(self) -> float:
        """The confidence from which its calls are traded; infinity where none earned anything."""
        return math.inf if math.isnan(self.threshold) else self.threshold

    def probabilities(self, inputs: Inputs) -> FloatArray:
        """Return calibrated probabilities of windows, (k, 3)."""
        return tempered(self.forecaster.probabilities(inputs), self.temperature, self.base)

    def of_day(self, seen: Seen, first_row: int = 0) -> FloatArray:
        """Return (n_rows, 3) for a day's chain rows; NaN before ``first_row`` and without a chain.

        The same bits for a row whether asked with the whole day or when it was the latest.
        """
        n = len(seen.minute)
        said = np.full((n, 3), np.nan)
        for start in range(first_row // BLOCK * BLOCK, n, BLOCK):
            rows = np.arange(max(start, first_row), min(start + BLOCK, n))
            said[rows] = self._block(seen, start, rows)
        said[~seen.can_say] = np.nan
        return said

    def _block(self, seen: Seen, start: int, rows: IntArray) -> FloatArray:
        """Return the probabilities of some rows of the block from ``start`` on."""
        inputs = block_inputs(seen, self.scaler, self.rule.horizon_minutes, start, rows)
        return self.probabilities(inputs)[rows - start]

    def files(self) -> dict[str, bytes]:
        """Return the files of this model alone."""
        return files_of({self.forecaster.name: self}, self.forecaster.name)


@dataclass(frozen=True)
class Bundle:
    """What a version holds: the models fitted on the same sessions, and which of them speaks.

    The others stay beside it, because the gate judges all of them on the same unseen sessions.
    """

    chosen: str
    models: Mapping[str, DirectionModel]

    @property
    def speaks(self) -> DirectionModel:
        """The model that is asked."""
        return self.models[self.chosen]


def files_of(models: Mapping[str, DirectionModel], chosen: str) -> dict[str, bytes]:
    """Return the files of a stored version; the models share scaler and rule."""
    one = models[chosen]
    settings = {
        "chosen": chosen,
        "models": {
            name: {
                "temperature": model.temperature,
                "threshold": None if math.isnan(model.threshold) else model.threshold,
            }
            for name, model in models.items()
        },
        "rule": asdict(one.rule),
        "base": one.base,
        "scaler": one.scaler.to_json(),
    }
    text = json.dumps(settings, indent=1, allow_nan=False)
    inside = [model.forecaster.files() for model in models.values()]
    return {SETTINGS: text.encode(), **{k: v for files in inside for k, v in files.items()}}


def block_inputs(
    seen: Seen, scaler: Scaler, horizon_minutes: float, start: int, rows: IntArray
) -> Inputs:
    """Return a block's inputs, the same size wherever in the day and whatever came since.

    `BLOCK` windows over the `BLOCK` + 29 rows up to the block's end; what is not asked for, or not
    there yet, is empty.
    """
    first, size = start - LENGTH + 1, BLOCK + LENGTH - 1
    own = inputs_of(seen, scaler, rows, horizon_minutes)
    place = np.arange(first, first + size)
    there = (place >= 0) & (place <= (rows[-1] if len(rows) else -1))
    taken = np.where(there, place, 0)
    at = rows - start
    block = Inputs(
        np.where(there[:, None], own.features[taken], np.float32(0.0)),
        np.where(there[:, None], own.missing[taken], True),
        np.where(there[:, None], own.row_known[taken], np.float32(0.0)),
        np.zeros((BLOCK, LENGTH), np.int64),
        np.zeros((BLOCK, LENGTH), np.bool_),
        np.zeros((BLOCK, LENGTH, own.clocks.shape[2]), np.float32),
        np.zeros((BLOCK, own.known.shape[1]), np.float32),
    )
    block.rows[at] = np.where(own.there, own.rows - first, 0)
    block.there[at] = own.there
    block.clocks[at] = own.clocks
    block.known[at] = own.known
    return block


def tempered(
    probabilities: FloatArray, temperature: float, base: tuple[float, float, float] = EVEN
) -> FloatArray:
    """Return probabilities (k, 3) with the logarithms of their odds on ``base`` divided.

    At a temperature without end they are ``base``: who knows nothing says how often it happens.

    >>> tempered(np.array([[0.2, 0.2, 0.6]]), 1.0).round(6).tolist()
    [[0.2, 0.2, 0.6]]
    >>> tempered(np.array([[0.2, 0.2, 0.6]]), 1e9, (0.5, 0.3, 0.2)).round(6).tolist()
    [[0.5, 0.3, 0.2]]
    """
    usual = np.log(base)
    logs = usual + (np.log(np.maximum(probabilities, 1e-12)) - usual) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    scaled: FloatArray = powers / powers.sum(axis=1, keepdims=True)
    return scaled


def read_bundle(files: Mapping[str, bytes], what: str) -> Bundle:
    """Return the models of a stored version whose hashes agree already."""
    from optiq.learn.direction.forecasters import READERS

    try:
        settings: dict[str, Any] = json.loads(files[SETTINGS])
        scaler, rule = Scaler.from_json(settings["scaler"]), LabelRule.from_json(settings["rule"])
        sell, hold, buy = (float(share) for share in settings["base"])
        models = {}
        for name, fitted in settings["models"].items():
            threshold = math.nan if fitted["threshold"] is None else float(fitted["threshold"])
            forecaster = READERS[name](files)
            models[name] = DirectionModel(
                forecaster, scaler, rule, float(fitted["temperature"]), threshold, (sell, hold, buy)
            )
        return Bundle(str(settings["chosen"]), models)
    except (KeyError, TypeError, ValueError) as reason:
        raise DamagedError(f"{what}: not a direction model ({reason})", "train again") from reason
