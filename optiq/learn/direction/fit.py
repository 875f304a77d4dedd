"""Train the transformer: seeds averaged, stopped early on unseen sessions, resumed where it ended.

The same inputs, seed, thread count and device give the same weights bit for bit. After every epoch
the state of a seed is written to its checkpoint; a run with the same settings and data goes on
from there and ends in the same weights as one that was never interrupted.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as functions

from optiq.errors import DamagedError, InputError
from optiq.learn.direction.forecasters import Transformer
from optiq.learn.direction.tft import Rows, Shape, TemporalFusion, Windows
from optiq.learn.direction.windows import CLOCKS, KNOWN, NAMES, Inputs, joined
from optiq.market.durable import make_folder, storage_error
from optiq.market.schema import IntArray

State = dict[str, Tensor]
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Training:
    """How the transformer is trained.

    ``workers`` processes train a seed each, on ``threads`` threads: on shared cores more threads
    are slower. ``sessions_at_once`` make a batch, so that windows that share rows share the work;
    ``patience`` epochs without a better log loss on the sessions held back end a seed.
    """

    seeds: int = 3
    epochs: int = 20
    patience: int = 3
    sessions_at_once: int = 4
    rate: float = 2e-3
    decay: float = 1e-2
    clip: float = 1.0
    threads: int = 1
    workers: int = 1
    device: str = "cpu"
    shape: Shape = field(default_factory=lambda: Shape(len(NAMES), len(KNOWN), len(CLOCKS)))


@dataclass(frozen=True, slots=True)
class Lesson:
    """Sessions to learn from: inputs and class (k,) of each."""

    inputs: Sequence[Inputs]
    labels: Sequence[IntArray]

    def sha256(self) -> str:
        """Return the hash of everything in it."""
        digest = hashlib.sha256()
        for inputs, labels in zip(self.inputs, self.labels, strict=True):
            for part in (
                inputs.features,
                inputs.missing,
                inputs.row_known,
                inputs.rows,
                inputs.there,
                inputs.clocks,
                inputs.known,
                labels,
            ):
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()


def device_named(name: str) -> str:
    """Return the device that ``auto``, ``cpu`` or ``cuda`` means on this machine."""
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"no device {name!r}", "give auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("no CUDA device on this machine", "give --device auto or cpu")
    return "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"


def device_in_words(name: str) -> str:
    """Return on what a training asked for by this name runs.

    >>> device_in_words("cpu")
    'the CPU'
    """
    if device_named(name) == "cuda":
        return f"the GPU, {torch.cuda.get_device_name()}"
    return "the CPU: no CUDA device on this machine" if name == "auto" else "the CPU"


@contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """Compute the same bits every time, on ``threads`` threads, and leave torch as it was."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else CUDA refuses to be it
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])


def fit(
    train: Lesson,
    held_back: Lesson,
    training: Training,
    checkpoints: Path | None = None,
    advance: Advance = lambda _: None,
) -> list[State]:
    """Return the weights of each seed at its best epoch; ``advance`` is told after each epoch.

    A seed that stops early tells the epochs it saved as done.
    """
    name = _name(train, held_back, training) if checkpoints else ""
    paths = [checkpoints / f"{name}-{k}.pt" if checkpoints else None for k in range(training.seeds)]
    if training.workers > 1 and training.device == "cpu":
        return _in_processes(train, held_back, training, paths, advance)
    return [
        fit_seed(seed, train, held_back, training, path, advance) for seed, path in enumerate(paths)
    ]


def _in_processes(
    train: Lesson,
    held_back: Lesson,
    training: Training,
    paths: Sequence[Path | None],
    advance: Advance,
) -> list[State]:
    """Train the seeds side by side; ``advance`` is told of all epochs of a seed at its end."""
    from joblib import Parallel, delayed

    jobs = (
        delayed(fit_seed)(seed, train, held_back, training, path) for seed, path in enumerate(paths)
    )
    states = []
    for state in Parallel(n_jobs=training.workers, return_as="generator")(jobs):
        states.append(state)
        advance(training.epochs)
    return states


def fit_seed(
    seed: int,
    train: Lesson,
    held_back: Lesson,
    training: Training,
    path: Path | None = None,
    advance: Advance = lambda _: None,
) -> State:
    """Return one seed's weights at its best epoch."""
    with deterministic(training.threads), torch.random.fork_rng(devices=[]):
        return _fit_seed(seed, train, held_back, training, path, advance)


def _fit_seed(
    seed: int,
    train: Lesson,
    held_back: Lesson,
    training: Training,
    path: Path | None,
    advance: Advance,
) -> State:
    torch.manual_seed(seed)
    network = TemporalFusion(training.shape).to(training.device)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=training.rate, weight_decay=training.decay
    )
    best = (math.inf, -1, _copied(network))
    first = 0
    if path is not None and path.exists():
        first, best = _resume(path, network, optimiser)
        advance(first)
    batches = _batches(train, training)
    validation = _batch(held_back.inputs, held_back.labels, training.device)
    for epoch in range(first, training.epochs):
        if epoch - best[1] > training.patience:
            advance(training.epochs - epoch)
            break
        order = np.random.default_rng([seed, epoch]).permutation(len(train.inputs))
        network.train()
        for batch in batches(order):
            _step(network, optimiser, batch, training.clip)
        loss = _loss(network, validation)
        if loss < best[0]:
            best = (loss, epoch, _copied(network))
        if path is not None:
            _keep(path, epoch + 1, best, network, optimiser)
        advance(1)
    return best[2]


Batch = tuple[Rows, Windows, Tensor]


def _batches(train: Lesson, training: Training) -> Callable[[IntArray], Iterator[Batch]]:
    def in_order(order: IntArray) -> Iterator[Batch]:
        for at in range(0, len(order), training.sessions_at_once):
            chosen = order[at : at + training.sessions_at_once].tolist()
            yield _batch(
                [train.inputs[i] for i in chosen],
                [train.labels[i] for i in chosen],
                training.device,
            )

    return in_order


def _batch(inputs: Sequence[Inputs], labels: Sequence[IntArray], device: str) -> Batch:
    rows, windows = tensors_of(joined(list(inputs)), device)
    return rows, windows, torch.from_numpy(np.concatenate(list(labels))).to(device)


def tensors_of(inputs: Inputs, device: str = "cpu") -> tuple[Rows, Windows]:
    """Return inputs as the network takes them."""
    parts = (
        *(inputs.features, inputs.missing, inputs.row_known),
        *(inputs.rows, inputs.there, inputs.clocks, inputs.known),
    )
    tensors = [torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in parts]
    return Rows(*tensors[:3]), Windows(*tensors[3:])


def _step(
    network: TemporalFusion, optimiser: torch.optim.Optimizer, batch: Batch, clip: float
) -> None:
    rows, windows, labels = batch
    loss = functions.cross_entropy(network(rows, windows).logits, labels)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimiser.step()


def _loss(network: TemporalFusion, batch: Batch) -> float:
    rows, windows, labels = batch
    network.eval()
    with torch.no_grad():
        return float(functions.cross_entropy(network(rows, windows).logits, labels))


def _copied(network: TemporalFusion) -> State:
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def _name(train: Lesson, held_back: Lesson, training: Training) -> str:
    """Return the name of a checkpoint: whatever would change the weights changes it."""
    own = {**asdict(training), "seeds": 0, "workers": 0}
    what = repr((own, train.sha256(), held_back.sha256(), torch.__version__))
    return hashlib.sha256(what.encode()).hexdigest()[:16]


def _keep(
    path: Path,
    epoch: int,
    best: tuple[float, int, State],
    network: TemporalFusion,
    optimiser: torch.optim.Optimizer,
) -> None:
    kept = {
        "epoch": epoch,
        "best": {"loss": best[0], "epoch": best[1], "state": best[2]},
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "random": torch.get_rng_state(),
    }
    make_folder(path.parent, option="--models")
    half = path.with_suffix(".tmp")
    try:
        half.write_bytes(saved(kept))
        half.replace(path)
    except OSError as reason:
        half.unlink(missing_ok=True)
        raise storage_error(path, reason, option="--models") from reason


def _resume(
    path: Path, network: TemporalFusion, optimiser: torch.optim.Optimizer
) -> tuple[int, tuple[float, int, State]]:
    kept = loaded(path.read_bytes(), str(path))
    try:
        network.load_state_dict(kept["network"])
        optimiser.load_state_dict(kept["optimiser"])
        torch.set_rng_state(kept["random"])
        best = kept["best"]
        return int(kept["epoch"]), (float(best["loss"]), int(best["epoch"]), best["state"])
    except (KeyError, TypeError, RuntimeError, ValueError) as reason:
        raise _not_a_checkpoint(str(path)) from reason


def saved(thing: Any) -> bytes:
    """Return tensors and plain values as torch writes them."""
    file = io.BytesIO()
    torch.save(thing, file)
    return file.getvalue()


def loaded(content: bytes, what: str) -> Any:
    """Read what `saved` wrote: tensors and plain values only, no code ever runs."""
    import pickle

    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError) as reason:
        raise _not_a_checkpoint(what) from reason


def _not_a_checkpoint(what: str) -> DamagedError:
    return DamagedError(f"{what} is not what was written", "delete it and train again")


def trainer(
    training: Training, checkpoints: Path | None = None, advance: Advance = lambda _: None
) -> Callable[
    [Sequence[Inputs], Sequence[IntArray], Sequence[Inputs], Sequence[IntArray]], Transformer
]:
    """Return what trains the transformer from windows and labels, one of each a session."""

    def train(
        inputs: Sequence[Inputs],
        labels: Sequence[IntArray],
        held: Sequence[Inputs],
        held_labels: Sequence[IntArray],
    ) -> Transformer:
        lesson, held_back = Lesson(inputs, labels), Lesson(held, held_labels)
        return Transformer.of(
            training.shape, fit(lesson, held_back, training, checkpoints, advance)
        )

    return train
