"""What forecasts a window: the transformer, and the simpler things it must beat."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from optiq.learn.direction.windows import Inputs
from optiq.market.schema import FloatArray, IntArray

if TYPE_CHECKING:
    import lightgbm

    from optiq.learn.direction.fit import State
    from optiq.learn.direction.model import Forecaster
    from optiq.learn.direction.tft import Shape, TemporalFusion

PRIOR, LOGISTIC, TREES, TRANSFORMER = "prior", "logistic", "lightgbm", "transformer"
N_CLASSES = 3
_ROUNDS, _PATIENCE = 300, 25


@dataclass(frozen=True)
class Prior:
    """How often each class came in training, (3,), whatever is seen."""

    shares: FloatArray
    name: str = PRIOR

    @classmethod
    def fitted(cls, labels: IntArray) -> Prior:
        """Return the shares of (k,) training labels; one of each is added, so that none is 0."""
        counts = np.bincount(labels, minlength=N_CLASSES) + 1.0
        return cls(counts / counts.sum())

    def probabilities(self, inputs: Inputs) -> FloatArray:
        """Return the shares, for every window."""
        return np.repeat(self.shares[None, :], len(inputs.rows), axis=0)

    def files(self) -> dict[str, bytes]:
        """Return its one file."""
        return {"prior.json": json.dumps(self.shares.tolist()).encode()}

    @classmethod
    def read(cls, files: Mapping[str, bytes]) -> Prior:
        """Read what `files` wrote."""
        return cls(np.array(json.loads(files["prior.json"])))


@dataclass(frozen=True)
class Logistic:
    """Multinomial logistic regression on the decision's own row: (68, 3) weights and (3,) bias."""

    weights: FloatArray
    bias: FloatArray
    name: str = LOGISTIC

    @classmethod
    def fitted(cls, inputs: Inputs, labels: IntArray) -> Logistic:
        """Fit on training windows, by scikit-learn; a class that never came gets the least odds."""
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=0.05, max_iter=500)
        model.fit(inputs.last.astype(np.float64), labels)
        weights, bias = np.zeros((inputs.last.shape[1], N_CLASSES)), np.full(N_CLASSES, -10.0)
        found = model.classes_.astype(int)
        if len(found) == 2:  # scikit-learn keeps one line for two classes
            weights[:, found[1]], bias[found] = model.coef_[0], [0.0, model.intercept_[0]]
        else:
            weights[:, found], bias[found] = model.coef_.T, model.intercept_
        return cls(weights, bias)

    def probabilities(self, inputs: Inputs) -> FloatArray:
        """Return (k, 3)."""
        odds = inputs.last.astype(np.float64) @ self.weights + self.bias
        powers = np.exp(odds - odds.max(axis=1, keepdims=True))
        shares: FloatArray = powers / powers.sum(axis=1, keepdims=True)
        return shares

    def files(self) -> dict[str, bytes]:
        """Return its one file."""
        plain = {"weights": self.weights.tolist(), "bias": self.bias.tolist()}
        return {"logistic.json": json.dumps(plain).encode()}

    @classmethod
    def read(cls, files: Mapping[str, bytes]) -> Logistic:
        """Read what `files` wrote."""
        plain = json.loads(files["logistic.json"])
        return cls(np.array(plain["weights"]), np.array(plain["bias"]))


@dataclass(frozen=True)
class Trees:
    """LightGBM on the flattened window."""

    booster: lightgbm.Booster
    name: str = TREES

    @classmethod
    def fitted(
        cls,
        inputs: Inputs,
        labels: IntArray,
        held_back: Inputs,
        held_labels: IntArray,
        seed: int = 0,
    ) -> Trees:
        """Fit on training windows until the log loss of those held back gets no better."""
        import lightgbm

        parameters = {
            "objective": "multiclass",
            "num_class": N_CLASSES,
            "learning_rate": 0.05,
            "num_leaves": 15,
            "min_data_in_leaf": max(2, min(100, len(labels) // 30)),
            "lambda_l2": 5.0,
            "feature_fraction": 0.3,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "max_bin": 63,
            "deterministic": True,
            "force_row_wise": True,
            "seed": seed,
            "num_threads": 1,  # the bits, and the time on shared cores, hang on it
            "verbosity": -1,
        }
        data = lightgbm.Dataset(inputs.flat, labels, params=parameters)
        check = lightgbm.Dataset(held_back.flat, held_labels, reference=data)
        stop = lightgbm.early_stopping(_PATIENCE, verbose=False)
        booster = lightgbm.train(parameters, data, _ROUNDS, valid_sets=[check], callbacks=[stop])
        return cls(booster)

    def probabilities(self, inputs: Inputs) -> FloatArray:
        """Return (k, 3)."""
        shares: FloatArray = np.asarray(self.booster.predict(inputs.flat, num_threads=1))
        return shares

    def contributions(self, inputs: Inputs, place: int) -> tuple[FloatArray, FloatArray]:
        """Return how much of a forecast's likeliest class each feature and each row carried.

        Shares (34,) and (30,) of the sizes of LightGBM's exact contributions; those of a row's age
        count for the row.
        """
        window = inputs.flat[place : place + 1]
        length, n = inputs.rows.shape[1], inputs.features.shape[1]
        chosen = int(np.argmax(np.asarray(self.booster.predict(window, num_threads=1))[0]))
        parts = np.asarray(self.booster.predict(window, pred_contrib=True, num_threads=1))
        sizes = np.abs(parts.reshape(N_CLASSES, -1)[chosen, :-1])
        cells, ages = sizes[: length * n].reshape(length, n), sizes[length * n :]
        total = max(float(sizes.sum()), 1e-12)
        return cells.sum(axis=0) / total, (cells.sum(axis=1) + ages) / total

    def files(self) -> dict[str, bytes]:
        """Return its one file, LightGBM's own text, up to the best round."""
        return {"lightgbm.txt": self.booster.model_to_string().encode()}

    @classmethod
    def read(cls, files: Mapping[str, bytes]) -> Trees:
        """Read what `files` wrote; its hash must have been checked, the parser is not robust."""
        import lightgbm

        return cls(lightgbm.Booster(model_str=files["lightgbm.txt"].decode()))


@dataclass(frozen=True)
class Transformer:
    """The temporal fusion transformer, the mean of the probabilities of its seeds."""

    shape: Shape
    networks: tuple[TemporalFusion, ...]
    name: str = TRANSFORMER

    @classmethod
    def of(cls, shape: Shape, states: list[State]) -> Transformer:
        """Return the transformer with these weights, one state a seed."""
        from optiq.learn.direction.tft import TemporalFusion

        networks = []
        for state in states:
            network = TemporalFusion(shape)
            network.load_state_dict(state)
            networks.append(network.eval())
        return cls(shape, tuple(networks))

    def probabilities(self, inputs: Inputs) -> FloatArray:
        """Return (k, 3)."""
        return self.looked(inputs)[0]

    def looked(self, inputs: Inputs) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return probabilities (k, 3) and, as means over the seeds, what it looked at.

        That is how much of each row (R, 34) every feature made up, and how much of each forecast
        (k, 31) every row of its window, the horizon's own step last.
        """
        import torch

        from optiq.learn.direction.fit import deterministic, tensors_of

        rows, windows = tensors_of(inputs)
        found = []
        with deterministic(threads=1), torch.no_grad():
            for network in self.networks:
                selected, weights = network.selected(rows)
                forecast = network.forecast(selected, windows)
                shares = torch.softmax(forecast.logits.double(), dim=-1)
                found.append((shares, weights.double(), forecast.attention.double()))
        shares, weights, attention = (
            np.mean([part.numpy() for part in parts], axis=0) for parts in zip(*found, strict=True)
        )
        return shares, weights, attention

    def files(self) -> dict[str, bytes]:
        """Return the weights and the shape of the network."""
        from optiq.learn.direction.fit import saved

        states = {f"seed-{i}.pt": saved(n.state_dict()) for i, n in enumerate(self.networks)}
        return {"shape.json": json.dumps(asdict(self.shape)).encode(), **states}

    @classmethod
    def read(cls, files: Mapping[str, bytes]) -> Transformer:
        """Read what `files` wrote; weights only, no code ever runs."""
        from optiq.learn.direction.fit import loaded
        from optiq.learn.direction.tft import Shape

        shape: dict[str, Any] = json.loads(files["shape.json"])
        names = sorted(name for name in files if name.endswith(".pt"))
        try:
            return cls.of(Shape(**shape), [loaded(files[name], name) for name in names])
        except RuntimeError as reason:
            raise ValueError("the weights do not fit the network") from reason


READERS: Mapping[str, Callable[[Mapping[str, bytes]], Forecaster]] = {
    PRIOR: Prior.read,
    LOGISTIC: Logistic.read,
    TREES: Trees.read,
    TRANSFORMER: Transformer.read,
}
"""How each forecaster is read, by its name."""
