"""The splits of a run, tokenised and ready for the network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from albertkit.datasets.dataset import Dataset
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import run_outputs, run_per_sequence
from albertkit.io.progress import Progress, counted
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.classification.head import DeepHead
from albertkit.tasks.encoded import Encoded, UnitTargets, take
from albertkit.tasks.objective import Objective
from albertkit.tasks.truncation import Truncation
from albertkit.tasks.window_notes import window_notes
from albertkit.training.heads import head_of, task_of
from albertkit.training.probe import cached_features
from albertkit.training.processes import Processes
from albertkit.training.resolved import Resolved
from albertkit.training.splits import Splits

STATISTICS_EXAMPLES = 2048
"""Training examples that batch normalization is measured on after an epoch of fine-tuning; a frozen run takes all."""


@dataclass(frozen=True)
class EncodedSplit:
    """One split, ready for the network."""

    dataset: Dataset
    encoded: Encoded
    """Of the split, and in training of the unlabelled texts behind it."""
    targets: UnitTargets
    features: torch.Tensor | None
    """What the head reads, `[sequences, hidden]`, when the encoder is frozen."""


@dataclass(frozen=True)
class EncodedSplits:
    """The three splits; one that has two uses is the same object twice. A split without rows is not encoded."""

    train: EncodedSplit
    validation: EncodedSplit | None
    """Chooses the epoch; None where no rows are held out, so that the last epoch is kept."""
    test: EncodedSplit | None
    """Gives the score; None where nothing is scored."""

    def __iter__(self) -> Iterator[EncodedSplit]:
        """Yield each split once."""
        there = [split for split in (self.train, self.validation, self.test) if split is not None]
        return iter({id(split): split for split in there}.values())


def encode_splits(predictor: Predictor, splits: Splits, resolved: Resolved, progress: Progress) -> EncodedSplits:
    """Tokenise the splits, each once; with a frozen encoder, get their features, too.

    Unlabelled texts follow those of the training split; they have no targets.
    """
    model = predictor.model
    task = task_of(model)
    found: dict[int, EncodedSplit] = {}

    def split(dataset: Dataset) -> EncodedSplit:
        if id(dataset) not in found:
            encoded, features = _encoded(predictor, dataset, resolved, progress)
            targets = task.unit_targets(encoded, dataset.examples, num_labels=len(model.labels))
            found[id(dataset)] = EncodedSplit(dataset, encoded, targets, features)
        return found[id(dataset)]

    encoded = EncodedSplits(
        split(splits.train),
        split(splits.validation) if len(splits.validation) else None,
        split(splits.test) if len(splits.test) else None,
    )
    if splits.unlabelled is None:
        return encoded
    train = encoded.train
    further, features = _encoded(predictor, splits.unlabelled, resolved, progress)
    if train.features is not None and features is not None:
        features = torch.cat([train.features, features])
    return replace(encoded, train=replace(train, encoded=train.encoded.followed_by(further), features=features))


def _encoded(
    predictor: Predictor, dataset: Dataset, resolved: Resolved, progress: Progress
) -> tuple[Encoded, torch.Tensor | None]:
    model = predictor.model
    encoded = task_of(model).encode(model.tokenizer, dataset.examples, max_length=resolved.max_length)
    if not resolved.settings.freeze_encoder:
        return encoded, None
    with progress.bar(f"features of {dataset.split}", total=len(encoded.sequences)) as advance:
        started = time.perf_counter()
        array, cached = cached_features(
            predictor, encoded.sequences, pooling=model.head.pooling, progress=counted(advance)
        )
    seconds = time.perf_counter() - started
    how = "from the cache" if cached else f"computed in {seconds:.0f} s"
    what = "texts" if len(array) == len(dataset) else f"windows of {len(dataset):,} texts"
    progress.report(f"features of {dataset.split}: {len(array):,} {what}, {how}")
    return encoded, torch.from_numpy(array)


def truncation_notes(splits: EncodedSplits, resolved: Resolved) -> list[str]:
    """Return of each split how many texts were cut to the longest input, or read in windows and cut after the last."""
    notes = []
    if resolved.windows is not None:
        advice = "raise --max-windows"
    elif isinstance(resolved.task, ClassificationTask):
        advice = "raise --max-length or use --long windows or --long sentences"
    else:
        advice = "raise --max-length"
    for split in splits:
        name = split.dataset.split
        several = split.encoded.counts[split.encoded.counts > 1]
        if resolved.windows is not None and len(several):
            stride = resolved.windows.stride
            notes.append(
                f"{name}: {len(several):,} of {len(split.encoded):,} texts "
                + (
                    f"have several sentences and were read in {several.sum():,} windows (--long sentences)"
                    if stride is None
                    else f"are longer than {resolved.max_length} tokens and were read in {several.sum():,} windows "
                    f"(--stride {stride})"
                )
            )
        cut = Truncation.of(split.encoded, max_length=resolved.max_length).note(resolved.task)
        if cut is not None:
            notes.append(f"{name}: {cut}; {advice}")
    return notes


def question_notes(splits: EncodedSplits, resolved: Resolved) -> list[str]:
    """Return of questions which have no window with their answer, and whether a threshold could be tuned."""
    notes = [note for split in splits for note in window_notes(split.dataset.split, split.encoded)]
    if resolved.task.setting_notes() and splits.validation is splits.test:
        missing = [name for name in ("validation", "test") if getattr(resolved.settings, name) is None]
        notes.append(
            "the threshold for no answer was not tuned, since the only labelled split is the scored one; add "
            + " ".join(f"--{name} 0.2" for name in missing)
        )
    return notes


def split_outputs(
    predictor: Predictor,
    split: EncodedSplit,
    processes: Processes,
    *,
    progress: Callable[[int], None] | None = None,
) -> list[npt.NDArray[np.float32]]:
    """Return in every process the head's outputs for each sequence of a split, from its features where it has them."""
    if split.features is None:
        sequences = split.encoded.sequences
        own = run_outputs(predictor.runtime, processes.share(sequences), progress=progress)
        device = predictor.execution.torch_device
        joined = processes.joined([torch.from_numpy(rows) for rows in own], len(sequences), device=device)
        return [rows.cpu().numpy() for rows in joined]
    head = head_of(predictor.model).eval()
    with torch.inference_mode():
        logits: npt.NDArray[np.float32] = head(split.features.to(predictor.execution.torch_device)).cpu().numpy()
    return list(logits)


def losses_of(
    objective: Objective, split: EncodedSplit, outputs: Sequence[npt.NDArray[np.float32]]
) -> npt.NDArray[np.float32]:
    """Return the loss of each unit of a split, `[units]`, from its outputs."""
    encoded = split.encoded
    joined = np.concatenate(list(outputs)) if objective.reads == "tokens" else np.stack(list(outputs))
    found: npt.NDArray[np.float32] = objective.losses_of(
        torch.from_numpy(joined),
        lengths=np.array([len(sequence) for sequence in encoded.sequences], np.int64),
        counts=encoded.counts,
        targets=torch.from_numpy(take(split.targets, np.arange(len(encoded)))),
    ).numpy()
    return found


def measure_batch_statistics(predictor: Predictor, train: EncodedSplit) -> None:
    """Set the head's batch normalization to the statistics of the training examples under the current weights."""
    head = head_of(predictor.model)
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
