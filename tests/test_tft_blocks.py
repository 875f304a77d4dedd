"""Each building block of the transformer equals its equations, worked out in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from optiq.learn.direction.tft import Rows, Shape, TemporalFusion, Windows
from optiq.learn.direction.tft_blocks import (
    GatedResidual,
    GatedSkip,
    InterpretableAttention,
    VariableNetworks,
    VariableSelection,
)

RNG = np.random.default_rng(5)


def weights(module: nn.Module) -> dict[str, np.ndarray]:
    """Give every weight a value of its own, norms too, and return them by name."""
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(torch.from_numpy(RNG.normal(0.0, 0.6, value.shape)))
    return {k: v.double().numpy() for k, v in module.double().eval().state_dict().items()}


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, np.float64))


def said(value: torch.Tensor) -> np.ndarray:
    return value.detach().numpy()


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1.0)


def softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5) * weight + bias


def linear(w: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0)


def gated_skip(w: dict[str, np.ndarray], x: np.ndarray, skip: np.ndarray, at: str) -> np.ndarray:
    glu = sigmoid(linear(w, f"{at}gate", x)) * linear(w, f"{at}value", x)
    return layer_norm(skip + glu, w[f"{at}norm.weight"], w[f"{at}norm.bias"])


def residual(
    w: dict[str, np.ndarray], a: np.ndarray, c: np.ndarray | None = None, at: str = ""
) -> np.ndarray:
    """Equations 2 to 5."""
    inner = linear(w, f"{at}enter", a)
    if c is not None:
        inner = inner + c @ w[f"{at}context.weight"].T
    eta = linear(w, f"{at}leave", elu(inner))
    past = linear(w, f"{at}past", a) if f"{at}past.weight" in w else a
    return gated_skip(w, eta, past, f"{at}skip.")


def test_a_gate_by_hand() -> None:
    """One number: sigmoid(0) * 4 = 2 is added to 1, 1 stays beside it; normed, +1 and -1."""
    skip = GatedSkip(1, 2, 0.0).double().eval()
    with torch.no_grad():
        for value in (skip.gate.weight, skip.gate.bias, skip.value.bias):
            value.zero_()
        skip.value.weight.copy_(tensor(np.array([[4.0], [0.0]])))
    found = said(skip(tensor([[1.0]]), tensor([[1.0, 1.0]])))
    assert found == pytest.approx(np.array([[1.0, -1.0]]), abs=1e-4)


@pytest.mark.parametrize(("size_out", "size_context"), [(3, 0), (5, 0), (3, 2), (5, 2)])
def test_the_gated_residual_network(size_out: int, size_context: int) -> None:
    network = GatedResidual(3, 4, size_out, 0.2, size_context)
    w = weights(network)
    a, c = RNG.normal(size=(7, 3)), RNG.normal(size=(7, 2)) if size_context else None
    found = network(tensor(a), None if c is None else tensor(c))
    assert said(found) == pytest.approx(residual(w, a, c), abs=1e-12)


def test_all_variables_networks_at_once_are_each_by_itself() -> None:
    networks = VariableNetworks(3, 4, 0.2)
    w = weights(networks)
    x = RNG.normal(size=(3, 6, 4))
    found = said(networks(tensor(x)))
    for n in range(3):

        def apply(name: str, v: np.ndarray, n: int = n) -> np.ndarray:
            return v @ w[f"{name}_weight"][n] + w[f"{name}_bias"][n]

        eta = apply("leave", elu(apply("enter", x[n])))
        glu = sigmoid(apply("gate", eta)) * apply("value", eta)
        expected = layer_norm(x[n] + glu, w["norm_weight"][n], w["norm_bias"][n])
        assert found[n] == pytest.approx(expected, abs=1e-12)


def test_variable_selection() -> None:
    """Equations 6 to 8; a missing number is its variable's own vector, whatever stands there."""
    select = VariableSelection(3, 4, 0.2, 2)
    w = weights(select)
    x, c = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 2))
    missing = RNG.random((5, 3)) < 0.4
    summed, shares = select(tensor(x), torch.from_numpy(missing), tensor(c))
    known = x.T[:, :, None] * w["scale"] + w["shift"]
    xi = np.where(missing.T[:, :, None], w["absent"], known)
    flat = np.concatenate(list(xi), axis=-1)
    inner = {k.removeprefix("weigh."): v for k, v in w.items() if k.startswith("weigh.")}
    expected = softmax(residual(inner, flat, c))
    assert said(shares) == pytest.approx(expected, abs=1e-12)
    each = said(select.each(tensor(xi)))
    assert said(summed) == pytest.approx(np.einsum("rn,nrd->rd", expected, each), abs=1e-12)
    other, _ = select(tensor(np.where(missing, 99.0, x)), torch.from_numpy(missing), tensor(c))
    assert said(other) == pytest.approx(said(summed), abs=0)


def test_interpretable_attention() -> None:
    """Equations 13 to 16: heads differ in queries and keys and share one value."""
    attend = InterpretableAttention(6, 3, 0.2)
    w = weights(attend)
    query, rows = RNG.normal(size=(4, 6)), RNG.normal(size=(4, 5, 6))
    there = np.ones((4, 5), bool)
    there[1, :3] = False
    found, shares = attend(tensor(query), tensor(rows), torch.from_numpy(there))
    q, k, v = linear(w, "query", query), linear(w, "key", rows), linear(w, "value", rows)
    heads = []
    for h in range(3):
        own = slice(2 * h, 2 * h + 2)
        fit = np.einsum("kw,ktw->kt", q[:, own], k[:, :, own]) / np.sqrt(2.0)
        heads.append(softmax(np.where(there, fit, -np.inf)))
    mean = np.mean(heads, axis=0)
    assert said(shares) == pytest.approx(mean, abs=1e-12)
    assert said(found) == pytest.approx(np.einsum("kt,ktw->kw", mean, v) @ w["out.weight"].T)
    assert (said(shares)[1, :3] == 0).all()


def day(k: int = 3, rows: int = 8, t: int = 5) -> tuple[Rows, Windows]:
    ends = torch.arange(rows - k, rows)
    index = ends[:, None] + torch.arange(1 - t, 1)
    there = index >= 2  # the first two rows are of another day
    return (
        Rows(torch.randn(rows, 4), torch.rand(rows, 4) < 0.2, torch.randn(rows, 2)),
        Windows(index.clamp(0), there, torch.randn(k, t, 2), torch.randn(k, 4)),
    )


def network(dropout: float = 0.2) -> TemporalFusion:
    torch.manual_seed(3)
    return TemporalFusion(Shape(4, 2, 2, size=8, heads=2, dropout=dropout)).eval()


def test_rows_before_the_open_change_nothing_and_are_not_attended_to() -> None:
    model, (rows, windows) = network(), day()
    before = model(rows, windows)
    spoilt = rows._replace(features=rows.features.clone())
    spoilt.features[:2] = 1e3
    after = model(spoilt, windows)
    assert torch.equal(before.logits, after.logits)
    assert (before.attention[:, :-1][~windows.there] == 0).all()
    assert said(before.attention.sum(dim=1)) == pytest.approx(np.ones(3), abs=1e-6)


def test_a_hole_in_the_day_is_seen() -> None:
    """The same numbers five rows in a row, or with an hour between the last two."""
    model, (rows, windows) = network(), day()
    holed = windows._replace(clocks=windows.clocks.clone())
    holed.clocks[:, -1, 0] += np.log(60.0)
    assert not torch.allclose(model(rows, windows).logits, model(rows, holed).logits, atol=1e-4)


def test_every_weight_learns() -> None:
    model, (rows, windows) = network(dropout=0.0).train(), day(k=6)
    model(rows, windows).logits.pow(2).sum().backward()
    idle = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    assert idle <= {"attend.key.bias"}  # it moves all fits alike, which a softmax does not see
