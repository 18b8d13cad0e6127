"""Distillation loss: the teacher's probabilities at a temperature, mixed with the labels (Hinton et al. 2015).

Letters: texts N, outputs K of the head, label columns W (K of multi-label, else 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Lesson:
    """How the losses of labels and of a teacher are mixed; the loss of a text without a label is the teacher's part."""

    task: str
    """`classification`, `regression` or `multilabel`."""
    weight: float
    """Of the teacher's loss, in (0, 1]; the labels' loss has the rest."""
    temperature: float = 1.0
    """What the logits of both are divided by, above 0; not read in regression."""

    def targets(self, labels: npt.NDArray[Any], answers: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return one row per text, `[N, W + K]`: its label, NaN where it has none, and then the teacher's answer.

        >>> Lesson("classification", 0.5).targets(np.array([1]), np.array([[0, 2], [3, 0]], np.float32)).tolist()
        [[1.0, 0.0, 2.0], [nan, 3.0, 0.0]]

        Args:
            labels: what the task's `targets` gave for the texts with labels, which come first.
            answers: the teacher's logits, or its numbers in regression, of all texts, `[N, K]`.
        """
        rows = labels.astype(np.float32).reshape(len(labels), -1)
        unknown = np.full((len(answers) - len(rows), rows.shape[1]), np.nan, np.float32)
        return np.concatenate([np.concatenate([rows, unknown]), answers], axis=1)

    def losses(
        self,
        logits: Float[Tensor, "texts outputs"],
        targets: Float[Tensor, "texts columns"],
        *,
        of_labels: Callable[[Tensor, Tensor], Tensor],
    ) -> Float[Tensor, " texts"]:
        """Return the mixed loss of each text, `[N]`.

        Args:
            logits: logits of the student, `[N, K]`.
            targets: rows of what `targets` gave, `[N, W + K]`.
            of_labels: gives the losses of logits and labels, for the texts that have one.
        """
        logits = logits.float()
        width = targets.shape[1] - logits.shape[1]
        labels, answers = targets[:, :width], targets[:, width:]  # N W, N K
        known = ~labels[:, 0].isnan()
        labels = labels[known] if self.task == "multilabel" else labels[known, 0]
        if self.task == "classification":
            labels = labels.long()
        own = torch.zeros_like(logits[:, 0]).index_put((known,), of_labels(logits[known], labels))
        return (1 - self.weight) * own + self.weight * self.teacher_losses(logits, answers)

    def teacher_losses(
        self, logits: Float[Tensor, "texts outputs"], answers: Float[Tensor, "texts outputs"]
    ) -> Float[Tensor, " texts"]:
        """Return how far each text's logits are from the teacher's, `[N]`; 0 where they are the same.

        The Kullback-Leibler divergence in nats at the temperature, times its square, so that the gradient has the size
        of the labels' one; multi-label has the mean over the labels, and regression the squared difference.
        """
        if self.task == "regression":
            return (logits[:, 0] - answers[:, 0]) ** 2
        student, teacher = logits / self.temperature, answers / self.temperature
        if self.task == "classification":
            student, teacher = student.log_softmax(dim=1), teacher.log_softmax(dim=1)
            divergence = F.kl_div(student, teacher, reduction="none", log_target=True).sum(dim=1)
        else:
            parts = (
                F.kl_div(F.logsigmoid(sign * student), F.logsigmoid(sign * teacher), reduction="none", log_target=True)
                for sign in (1, -1)
            )
            divergence = sum(parts, torch.zeros_like(logits)).mean(dim=1)
        return divergence * self.temperature**2
