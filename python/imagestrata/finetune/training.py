"""Training by epochs: the best epoch is kept, and an interrupted training continues."""

from __future__ import annotations

import copy
import json
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..engine import open_threads
from ..errors import ImagestrataError, warn
from ..files import ensure_folder, write_bytes
from ..progress import Progress, track
from ..wording import arg
from .network import spare_slow_gradients
from .scores import MEASURES, average_scores
from .task import Floats, class_weights, decide, loss, probabilities

State: TypeAlias = dict[str, Tensor]

#: Function that makes the input of some examples for training (True) or evaluation.
Load: TypeAlias = Callable[[Sequence[int], bool], Callable[[], Tensor]]

#: The name of the step that progress shows.
TRAINING = "Training"

_EVALUATION_BATCH = 16


@dataclass(frozen=True)
class Recipe:
    """Settings of training, see :func:`imagestrata.fine_tune`."""

    optimizer: str
    learning_rate: float
    momentum: float
    batch_size: int
    epochs: int
    step_size: int
    gamma: float
    max_gradient_norm: float | None
    class_weights: bool
    patience: int | None
    seed: int


@dataclass(eq=False)
class Trained:
    """The weights of the best epoch, and the measures of every epoch."""

    state: State
    best_epoch: int
    history: pd.DataFrame


@dataclass
class _Memory:
    """The state that passes from one epoch to the next, without weights."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = math.inf


def train(
    model: nn.Module,
    load: Load,
    task: str,
    truth: Floats,
    train_rows: NDArray[np.int64],
    val_rows: NDArray[np.int64],
    recipe: Recipe,
    *,
    device: torch.device,
    dtype: torch.dtype,
    folder: Path | None,
    progress: Progress,
    advance: Callable[..., None] | None = None,
) -> Trained:
    """Train by gradient descent; the epoch with the lowest validation loss is kept.

    Every random number depends on the seed and the epoch only, so a continued run gives the
    same result as an uninterrupted one.

    Parameters
    ----------
    model : Module
        The network. Parameters that require gradients are trained.
    load : callable
        See :data:`Load`.
    task : str
    truth : ndarray of shape (n, n_labels)
    train_rows, val_rows : ndarray
        Rows of ``truth``, which are also the arguments of ``load``.
    recipe : Recipe
    device, dtype
        Device and precision of the computation; weights are stored in float32.
    folder : Path or None
        Folder in which the state after every epoch is stored.
    progress : bool or callable
    advance : callable, optional
        Shows the progress of several trainings, in place of ``progress``.
    """
    model.to(device)
    if dtype == torch.bfloat16 or device.type == "cuda":
        model.to(memory_format=torch.channels_last)  # slower in float32 on a processor
    if dtype == torch.bfloat16 and device.type == "cpu":
        spare_slow_gradients(model)
    moving = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = _optimizer(moving, recipe, fused=device.type in ("cpu", "cuda"))
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, recipe.step_size, recipe.gamma)
    store = None if folder is None else _Checkpoints(folder)
    memory = _Memory() if store is None else store.recall(model, optimizer, schedule)
    best: State = {} if store is None else store.best(memory)
    weights = None
    if recipe.class_weights:
        weights = torch.from_numpy(class_weights(task, truth[train_rows])).to(device)
    compute = _Passes(model, load, task, truth, weights, recipe.max_gradient_norm, device, dtype)
    shown = nullcontext(advance) if advance else track(progress, TRAINING, recipe.epochs, "epochs")
    with shown as advance, _reproducible(recipe.seed) as restart:
        advance(memory.epoch, already=True)
        while memory.epoch < recipe.epochs and not _is_over(memory, recipe):
            restart(memory.epoch)
            order = np.random.default_rng([recipe.seed, memory.epoch]).permutation(train_rows)
            learnt = compute.learn(order, recipe.batch_size, optimizer)
            seen = compute.judge(val_rows)
            schedule.step()
            if not (math.isfinite(learnt["loss"]) and math.isfinite(seen["loss"])):
                _warn_not_finite(memory, recipe)
                break
            memory.epoch += 1
            for split, measures in (("train", learnt), ("val", seen)):
                memory.rows.append({"epoch": memory.epoch, "split": split, **measures})
            if seen["loss"] < memory.best_loss:
                memory.best_loss, memory.best_epoch = seen["loss"], memory.epoch
                best = _copied(model)
                if store is not None:
                    store.write_best(memory.epoch, best)
            if store is not None:
                store.write(memory, model, optimizer)
            advance()
    _put_back(model, best)
    return Trained(best, memory.best_epoch, pd.DataFrame(memory.rows))


def _optimizer(moving: list[nn.Parameter], recipe: Recipe, *, fused: bool) -> torch.optim.Optimizer:
    if recipe.optimizer == "sgd":
        # On a processor, fused steps take twice as long as others if weights are channels last.
        fused = fused and all(weight.is_cuda or weight.is_contiguous() for weight in moving)
        return torch.optim.SGD(moving, recipe.learning_rate, recipe.momentum, fused=fused)
    kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    return kind(moving, recipe.learning_rate, fused=fused)


class _Passes:
    """Passes over examples, with or without training."""

    def __init__(
        self,
        model: nn.Module,
        load: Load,
        task: str,
        truth: Floats,
        weights: Tensor | None,
        longest: float | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._model = model
        self._load = load
        self._task = task
        self._truth = torch.from_numpy(truth)
        self._weights = weights
        self._longest = longest
        self._device = device
        self._dtype = dtype

    def learn(
        self, rows: NDArray[np.int64], batch_size: int, optimizer: torch.optim.Optimizer
    ) -> dict[str, float]:
        """Train on all batches; return the measures during the epoch."""
        self._model.train()
        return self._pass(rows, batch_size, optimizer)

    @torch.no_grad()
    def judge(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """Return the measures on examples without training."""
        self._model.eval()
        return self._pass(rows, _EVALUATION_BATCH, None)

    def _pass(
        self, rows: NDArray[np.int64], size: int, optimizer: torch.optim.Optimizer | None
    ) -> dict[str, float]:
        batches = [rows[start : start + size] for start in range(0, len(rows), size)]
        total, outputs = 0.0, []
        for batch, inputs in _ahead(self._load, batches, optimizer is not None):
            truth = self._truth[batch].to(self._device)
            with self._precision():
                output = self._model(inputs.to(self._device))
            # Reported losses are comparable, since class weights affect training only.
            reported = loss(self._task, output.detach(), truth, None)
            total += float(reported) * len(batch)
            outputs.append(output.detach().float().cpu())
            if optimizer is not None:
                optimizer.zero_grad()
                loss(self._task, output, truth, self._weights).backward()  # type: ignore[no-untyped-call, unused-ignore]
                if self._longest is not None:
                    moving = [w for group in optimizer.param_groups for w in group["params"]]
                    nn.utils.clip_grad_norm_(moving, self._longest)
                optimizer.step()
        return {"loss": total / len(rows), **self._measures(rows, torch.cat(outputs).numpy())}

    def _measures(self, rows: NDArray[np.int64], outputs: Floats) -> dict[str, float]:
        probability = probabilities(self._task, outputs)
        half = np.full(probability.shape[1], 0.5, dtype=np.float32)
        decision = decide(self._task, probability, half)
        scores = average_scores(self._task, self._truth.numpy()[rows], decision)
        return {name: scores[name] for name in MEASURES}

    def _precision(self) -> AbstractContextManager[Any]:
        return torch.autocast(
            self._device.type, torch.bfloat16, enabled=self._dtype == torch.bfloat16
        )


def _ahead(
    load: Load, batches: Sequence[NDArray[np.int64]], training: bool
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Yield batches with their inputs; the next one is made while the current one is used."""
    cuts = ((batch, load(batch.tolist(), training)) for batch in batches)
    with open_threads(1) as thread:
        yield from thread.map(lambda one: (one[0], one[1]()), cuts)


class _Checkpoints:
    """Stores the state after the last epoch and the best state, in two files of a folder.

    The name of the best state's file contains its epoch. The previous file remains until the
    file of the last epoch refers to the new one.
    """

    def __init__(self, folder: Path) -> None:
        ensure_folder(folder)
        self._folder = folder
        self._last = folder / "last.safetensors"

    def recall(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
    ) -> _Memory:
        """Restore the state after the last finished epoch."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self._last, "pt") as file:
                memory = _Memory(**json.loads(file.metadata()["memory"]))
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            if memory.best_epoch and not self._best(memory.best_epoch).exists():
                return _Memory()
        except (FileNotFoundError, SafetensorError, KeyError, TypeError, json.JSONDecodeError):
            return _Memory()  # no state, or a damaged one: start again
        _put_back(model, without_prefix("model.", tensors))
        moving = [weight for group in optimizer.param_groups for weight in group["params"]]
        for key, tensor in without_prefix("optimizer.", tensors).items():
            number, name = key.split(".")
            optimizer.state[moving[int(number)]][name] = tensor.to(moving[int(number)].device)
        with warnings.catch_warnings():
            # The schedule steps before the optimizer on purpose: its steps were taken earlier.
            warnings.simplefilter("ignore", UserWarning)
            for _ in range(memory.epoch):
                schedule.step()
        return memory

    def best(self, memory: _Memory) -> State:
        """Return the best state so far."""
        from safetensors.torch import load_file

        return load_file(self._best(memory.best_epoch)) if memory.best_epoch else {}

    def write_best(self, epoch: int, state: State) -> None:
        from safetensors.torch import save

        write_bytes(self._best(epoch), save(state))

    def write(self, memory: _Memory, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Store the state after an epoch, and remove obsolete files."""
        from safetensors.torch import save

        tensors = {f"model.{key}": tensor for key, tensor in _copied(model).items()}
        moving = [weight for group in optimizer.param_groups for weight in group["params"]]
        for number, weight in enumerate(moving):
            for name, tensor in optimizer.state[weight].items():
                if tensor is not None:
                    tensors[f"optimizer.{number}.{name}"] = tensor.cpu().contiguous()
        write_bytes(self._last, save(tensors, {"memory": json.dumps(vars(memory))}))
        for old in self._folder.glob("best-*.safetensors"):
            if old != self._best(memory.best_epoch):
                old.unlink()

    def _best(self, epoch: int) -> Path:
        return self._folder / f"best-{epoch:05d}.safetensors"


@contextmanager
def _reproducible(seed: int) -> Iterator[Callable[[int], object]]:
    """Yield a function that seeds torch's generators for an epoch; restore the user's at exit."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        yield lambda epoch: torch.manual_seed((seed << 20) + epoch)


def _is_over(memory: _Memory, recipe: Recipe) -> bool:
    """Return whether the validation loss has not fallen for ``patience`` epochs."""
    return recipe.patience is not None and memory.epoch - memory.best_epoch >= recipe.patience


def _warn_not_finite(memory: _Memory, recipe: Recipe) -> None:
    what = f"The loss became infinite or NaN in epoch {memory.epoch + 1}"
    advice = f"Use a smaller {arg('learning_rate')} than {recipe.learning_rate:g}, such as a tenth."
    if not memory.best_epoch:
        raise ImagestrataError(f"{what}, so there is no model.", advice)
    warn(f"{what}. Training stopped; epoch {memory.best_epoch} is kept. {advice}")


def _put_back(model: nn.Module, state: State) -> None:
    """Load weights into a network's own dictionary, which keeps its version metadata."""
    own = model.state_dict()
    own.update(state)
    model.load_state_dict(own)


def without_prefix(prefix: str, state: State) -> State:
    """Return the tensors whose names begin with a prefix, without the prefix."""
    return {key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)}


def _copied(model: nn.Module) -> State:
    """Return a copy of all weights that further training does not change."""
    state = copy.deepcopy(model.state_dict())
    return {key: tensor.cpu().contiguous() for key, tensor in state.items()}
