"""The classification head on the pooled output, and its loss."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from albertkit.batching.batch import IntArray
from albertkit.config import AlbertConfig
from albertkit.errors import UsageError
from albertkit.tasks.classification.taught import Lesson
from albertkit.tasks.head_spec import LINEAR, HeadSpec
from albertkit.tasks.objective import Objective, mean_by_unit

NORMS = ("none", "batch")
Kind = TypeVar("Kind", bound="ClassificationObjective")


class LinearHead(nn.Linear):
    """Dropout and one linear map, as Google's `run_classifier.py` and transformers have it."""

    uses_batch_statistics = False

    def __init__(self, hidden_size: int, num_outputs: int, *, dropout: float) -> None:
        super().__init__(hidden_size, num_outputs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, pooled: Float[Tensor, "sequences hidden"]) -> Float[Tensor, "sequences outputs"]:
        """Return logits `[sequences, outputs]` for pooled outputs `[sequences, hidden]`."""
        return super().forward(self.dropout(pooled))


class DeepHead(nn.Module):
    """Blocks of linear, relu and, on request, batch normalization, then a linear map; no dropout.

    Args:
        hidden_size: width of the pooled output.
        num_outputs: width of the logits.
        hidden: width of each block, e.g. `(128, 30, 8)`.
        norm: `batch` puts batch normalization after each relu; `none` does not.
    """

    def __init__(self, hidden_size: int, num_outputs: int, *, hidden: Sequence[int], norm: str = "none") -> None:
        super().__init__()
        widths = [hidden_size, *hidden]
        self.hidden = nn.ModuleList(
            nn.Sequential(nn.Linear(before, after), nn.ReLU(), *([nn.BatchNorm1d(after)] if norm == "batch" else []))
            for before, after in pairwise(widths)
        )
        self.output = nn.Linear(widths[-1], num_outputs)
        self.uses_batch_statistics = norm == "batch"

    def forward(self, pooled: Float[Tensor, "sequences hidden"]) -> Float[Tensor, "sequences outputs"]:
        """Return logits `[sequences, outputs]` for pooled outputs `[sequences, hidden]`."""
        for block in self.hidden:
            # A last step of one example has no batch statistics: it uses the running ones.
            if self.training and self.uses_batch_statistics and len(pooled) == 1:
                block.eval()
                pooled = block(pooled)
                block.train()
            else:
                pooled = block(pooled)
        logits: Tensor = self.output(pooled)
        return logits

    @torch.no_grad()
    def measure_statistics(self, pooled: Float[Tensor, "sequences hidden"]) -> None:
        """Set what batch normalization uses in prediction to the statistics of these pooled outputs, all at once.

        The running averages lag behind the weights. If pooled outputs vary little compared with their mean, the lag is
        large enough to undo the training. The exact statistics cost one pass.
        """
        for block in self.hidden:
            assert isinstance(block, nn.Sequential)
            for module in block:
                if not isinstance(module, nn.BatchNorm1d):
                    pooled = module(pooled)
                    continue
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.copy_(pooled.mean(dim=0))
                module.running_var.copy_(pooled.var(dim=0, correction=0))
                was_training = module.training
                pooled = module.eval()(pooled)
                module.train(was_training)


def build_head(
    hidden_size: int, num_outputs: int, *, dropout: float, hidden: Sequence[int] = (), norm: str = "none"
) -> LinearHead | DeepHead:
    """Return a fresh head: linear when `hidden` is empty, deep otherwise; torch's own default initialization.

    Raises:
        UsageError: an unknown norm, a norm without hidden widths, a width below 1.
    """
    if norm not in NORMS:
        raise UsageError(f'unknown head norm "{norm}" (known: {", ".join(NORMS)})')
    if norm != "none" and not hidden:
        raise UsageError(f"--head-norm {norm} needs --head-hidden: a linear head has no hidden layer to normalize")
    if any(width < 1 for width in hidden):
        raise UsageError(f"--head-hidden is {','.join(map(str, hidden))}; every width must be 1 or more")
    if hidden:
        return DeepHead(hidden_size, num_outputs, hidden=hidden, norm=norm)
    head = LinearHead(hidden_size, num_outputs, dropout=dropout)
    nn.init.trunc_normal_(head.weight, std=0.02, a=-0.04, b=0.04)  # as Google's code initializes its output layer
    nn.init.zeros_(head.bias)
    return head


class ClassificationObjective(Objective):
    """A head on one vector of each sequence; a unit of several sequences (windows) has the mean of their logits.

    Args:
        task: `classification`, `regression` or `multilabel`.
        weights: weights of the labels, see `example_losses`; default: all 1.
    """

    averages = True

    def __init__(self, task: str, *, weights: Tensor | None = None) -> None:
        self.task = task
        self.weights = weights
        self.lesson: Lesson | None = None

    def taught(self: Kind, lesson: Lesson) -> Kind:
        """Return the objective of a student, whose targets are those of the lesson."""
        student = copy.copy(self)
        student.lesson = lesson
        return student

    def build(self, config: AlbertConfig, num_outputs: int, spec: HeadSpec = LINEAR) -> nn.Module:
        """Return a linear or deep head; see `build_head`."""
        dropout = config.classifier_dropout_prob
        width = spec.width(config.hidden_size)
        return build_head(width, num_outputs, dropout=dropout, hidden=spec.hidden, norm=spec.norm)

    def losses_of(self, rows: Tensor, *, lengths: IntArray, counts: IntArray, targets: Tensor) -> Tensor:
        """Return each example's own loss; see `example_losses`, and `Lesson.losses` of a student."""
        del lengths
        logits, of_labels = mean_by_unit(rows, counts), partial(example_losses, self.task, weights=self.weights)
        return (
            of_labels(logits, targets)
            if self.lesson is None
            else self.lesson.losses(logits, targets, of_labels=of_labels)
        )


CLASSIFICATION = ClassificationObjective("classification")
REGRESSION = ClassificationObjective("regression")
MULTILABEL = ClassificationObjective("multilabel")


def example_losses(
    task: str,
    logits: Float[Tensor, "sequences outputs"],
    targets: Shaped[Tensor, "*any"],
    *,
    weights: Float[Tensor, "*rows outputs"] | None = None,
) -> Float[Tensor, " sequences"]:
    """Return each example's own loss `[sequences]`: cross entropy (nats), squared error, or mean binary cross entropy.

    A weighted loss is not divided by the weights: the mean over examples is Keras' with `class_weight`, where torch's
    own mean divides by the sum of the examples' weights.

    >>> import torch
    >>> round(example_losses("classification", torch.zeros(1, 2), torch.tensor([1])).item(), 4)
    0.6931

    Args:
        task: `classification`, `regression` or `multilabel`.
        logits: `[sequences, outputs]`.
        targets: `[sequences]`, or `[sequences, outputs]` of multi-label.
        weights: `[outputs]` of classification, by the example's class; `[2, outputs]` of multi-label, for examples
            without and with each label.
    """
    logits = logits.float()
    if weights is not None:
        weights = weights.to(logits.device)
    if task == "classification":
        return F.cross_entropy(logits, targets, weight=weights, reduction="none")
    if task == "regression":
        return (logits[:, 0] - targets) ** 2
    losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    if weights is not None:
        losses = losses * torch.where(targets > 0, weights[1], weights[0])
    return losses.mean(dim=1)
