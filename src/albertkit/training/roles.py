"""Roles: the splits of a run, tokenised and ready for the network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from albertkit.datasets.dataset import Dataset
from albertkit.evaluation.null_threshold import threshold_notes
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import run_outputs, run_per_sequence
from albertkit.io.progress import Teller, counted
from albertkit.tasks.classification.head import DeepHead
from albertkit.tasks.encoded import Encoded, UnitTargets, take
from albertkit.tasks.objective import Objective
from albertkit.tasks.task import Task
from albertkit.tasks.truncation import Truncation
from albertkit.tasks.window_notes import window_notes
from albertkit.training.lessons import Lessons
from albertkit.training.probe import cached_features
from albertkit.training.settings import FinetuneSettings
from albertkit.training.splits import Splits

STATISTICS_EXAMPLES = 2048
"""Training examples that batch normalization is measured on after an epoch of fine-tuning; a frozen run takes all."""


@dataclass(frozen=True)
class Role:
    """One split, ready for the network."""

    dataset: Dataset
    encoded: Encoded
    """Of the split, and in training of the unlabelled texts behind it."""
    targets: UnitTargets
    features: torch.Tensor | None
    """What the head reads, `[sequences, hidden]`, when the encoder is frozen."""
    lessons: Lessons | None = None
    """What a teacher says of the training texts."""


def prepare_roles(predictor: Predictor, splits: Splits, settings: FinetuneSettings, teller: Teller) -> dict[str, Role]:
    """Tokenise the three splits (one that plays two roles once); with a frozen encoder, get their features, too.

    Unlabelled texts follow those of the training split; they have no targets.
    """
    model = predictor.model
    assert model.task is not None
    roles: dict[str, Role] = {}
    by_split: dict[int, Role] = {}
    for name, dataset in (("train", splits.train), ("validation", splits.validation), ("scored", splits.scored)):
        if id(dataset) not in by_split:
            encoded, features = _encoded(predictor, dataset, settings, teller)
            targets = model.task.unit_targets(encoded, dataset.examples, num_labels=len(model.labels))
            by_split[id(dataset)] = Role(dataset, encoded, targets, features)
        roles[name] = by_split[id(dataset)]
    if splits.unlabelled is not None:
        train = roles["train"]
        encoded, features = _encoded(predictor, splits.unlabelled, settings, teller)
        if train.features is not None and features is not None:
            features = torch.cat([train.features, features])
        roles["train"] = replace(train, encoded=train.encoded.followed_by(encoded), features=features)
    return roles


def _encoded(
    predictor: Predictor, dataset: Dataset, settings: FinetuneSettings, teller: Teller
) -> tuple[Encoded, torch.Tensor | None]:
    model = predictor.model
    assert model.task is not None
    assert settings.max_length is not None
    encoded = model.task.encode(model.tokenizer, dataset.examples, max_length=settings.max_length)
    if not settings.freeze_encoder:
        return encoded, None
    with teller.bar(f"features of {dataset.split}", total=len(encoded.sequences)) as advance:
        started = time.perf_counter()
        array, cached = cached_features(
            predictor, encoded.sequences, pooling=model.head.pooling, progress=counted(advance)
        )
    seconds = time.perf_counter() - started
    how = "from the cache" if cached else f"computed in {seconds:.0f} s"
    what = "texts" if len(array) == len(dataset) else f"windows of {len(dataset):,} texts"
    teller.say(f"features of {dataset.split}: {len(array):,} {what}, {how}")
    return encoded, torch.from_numpy(array)


def truncation_notes(
    roles: dict[str, Role], settings: FinetuneSettings, teller: Teller, *, task: Task | None
) -> list[str]:
    """Say of each split how many texts were cut to the longest input, or read in windows and cut after the last."""
    notes = []
    for role in {id(role): role for role in roles.values()}.values():
        split, said = role.dataset.split, []
        several = role.encoded.counts[role.encoded.counts > 1]
        if settings.long == "windows" and len(several):
            said.append(
                f"{split}: {len(several):,} of {len(role.encoded):,} texts are longer than {settings.max_length} "
                f"tokens and were read in {several.sum():,} windows (--stride {settings.stride})"
            )
        assert settings.max_length is not None
        cut = Truncation.of(role.encoded, max_length=settings.max_length).note(task)
        if cut is not None:
            option = "--max-windows" if settings.long == "windows" else "--max-length"
            said.append(f"{split}: {cut} ({option})")
        for note in said:
            teller.say(f"note: {note}")
        notes += said
    return notes


def question_notes(roles: dict[str, Role], settings: FinetuneSettings, *, task: Task | None) -> list[str]:
    """Say of questions which have no window with their answer, and whether a threshold could be tuned."""
    notes: list[str] = []
    for role in {id(role): role for role in roles.values()}.values():
        notes += window_notes(role.dataset.split, role.encoded)
    if task is not None and threshold_notes(task) and roles["validation"] is roles["scored"]:
        missing = [name for name in ("validation", "test") if getattr(settings, name) is None]
        notes.append(
            "the threshold for no answer was not tuned, since no split is left that is not scored; add "
            + " ".join(f"--{name} 0.2" for name in missing)
        )
    return notes


def role_outputs(
    predictor: Predictor, role: Role, *, progress: Callable[[int], None] | None = None
) -> list[npt.NDArray[np.float32]]:
    """Return the head's outputs for each sequence of a split, from its features where it has them."""
    if role.features is None:
        return run_outputs(predictor.runtime, role.encoded.sequences, progress=progress)
    assert predictor.model.task is not None
    head = predictor.model.network.heads[predictor.model.task.head].eval()
    with torch.inference_mode():
        logits: npt.NDArray[np.float32] = head(role.features.to(predictor.execution.torch_device)).cpu().numpy()
    return list(logits)


def losses_of(objective: Objective, role: Role, outputs: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Return the loss of each unit of a split, `[units]`, from its outputs."""
    encoded = role.encoded
    joined = np.concatenate(list(outputs)) if objective.reads == "tokens" else np.stack(list(outputs))
    found: npt.NDArray[np.float32] = objective.losses_of(
        torch.from_numpy(joined),
        lengths=np.array([len(sequence) for sequence in encoded.sequences], np.int64),
        counts=encoded.counts,
        targets=torch.from_numpy(take(role.targets, np.arange(len(encoded)))),
    ).numpy()
    return found


def measure_batch_statistics(predictor: Predictor, train: Role) -> None:
    """Give batch normalization in the head the statistics of the training examples under the weights of now."""
    assert predictor.model.task is not None
    head = predictor.model.network.heads[predictor.model.task.head]
    if not isinstance(head, DeepHead) or not head.uses_batch_statistics:
        return
    pooled = train.features
    if pooled is None:
        sequences = train.encoded.sequences
        count = len(sequences)
        drawn = np.random.RandomState(0).permutation(count)[:STATISTICS_EXAMPLES]
        sample = [sequences[index] for index in drawn]
        pooled = torch.from_numpy(run_per_sequence(predictor.runtime, sample, output=predictor.model.head.pooling))
    head.measure_statistics(pooled.to(predictor.execution.torch_device))
