"""Prepare the inputs of a distillation: training and validation texts, and the teacher's vectors of both."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from albertkit.data.pretraining.masking import MaskingRule, word_start_table
from albertkit.datasets.text_rows import Row, read_rows
from albertkit.errors import DataError, UsageError
from albertkit.hardware.device import Execution
from albertkit.io.progress import Progress, counted
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.training.distillation.batches import DistillBatches
from albertkit.training.distillation.cache import CachedTeacher
from albertkit.training.distillation.given import given_digest, is_given, read_given
from albertkit.training.distillation.settings import DistillSettings
from albertkit.training.distillation.texts import Texts, prepare_texts

MOST_HELD_OUT = 2000
"""Texts that score a run, at most."""
_ORDER = 4  # purpose of a generator: other purposes draw other numbers from the same seed


@dataclass(frozen=True)
class Source:
    """Texts with a teacher, before any of its vectors is computed."""

    train: Texts
    held_out: Texts
    teacher: CachedTeacher | None
    """None where the vectors are given."""
    given: npt.NDArray[np.float16] | None
    """The vectors of the given texts, `[rows, dimensions]`; None where a teacher computes them."""
    digest: str
    """Of the teacher's files, or of the given texts and vectors."""

    @property
    def dimensions(self) -> int:
        """Numbers in a vector of the teacher."""
        if self.teacher is not None:
            return self.teacher.dimensions
        assert self.given is not None
        return int(self.given.shape[1])

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out or cut."""
        return self.train.notes

    def vectors(self, texts: Texts, *, progress: Progress, what: str) -> npt.NDArray[np.float16]:
        """Return the teacher's vectors of texts.

        Raises:
            CheckpointError, RunError, WriteError: see `CachedTeacher.vectors`.
        """
        if self.given is not None:
            return self.given[texts.rows]
        return self.computed(texts.texts, progress=progress, what=what)

    def computed(self, texts: list[str], *, progress: Progress, what: str) -> npt.NDArray[np.float16]:
        """Return the teacher's vectors of any texts, from the cache where they are there."""
        assert self.teacher is not None
        with progress.bar(what, total=len(texts)) as advance:
            return self.teacher.vectors(texts, progress=counted(advance))


def read_source(settings: DistillSettings, tokenizer: AnyTokenizer, execution: Execution) -> tuple[Source, int]:
    """Read texts, open the teacher, and choose what trains and what scores.

    Args:
        settings: settings of the run.
        tokenizer: the student's.
        execution: device and precision to run on.

    Returns:
        The source, and the number of optimizer steps.

    Raises:
        UsageError, DataError, CheckpointError, MissingExtraError: the texts or the teacher cannot be used.
    """
    given = is_given(settings.teacher)
    own_texts = settings.teacher.lower().endswith(".parquet")
    if not settings.data and not own_texts:
        raise UsageError("--data is missing: the texts to distil from")
    rows: list[Row] = []
    if settings.data:
        rows = read_rows(settings.data, text_column=settings.text_column, every_line=given, encoding=settings.encoding)
    vectors, teacher = None, None
    if given:
        rows, vectors = read_given(settings.teacher, rows)
        digest = given_digest(rows, vectors)
    else:
        teacher = CachedTeacher(settings.teacher, execution=execution, workers=settings.workers)
        digest = teacher.digest
    texts = prepare_texts(
        rows,
        tokenizer,
        max_length=settings.max_length,
        by_sentence=settings.by_sentence,
        whole=given,
        seed=settings.seed,
    )
    train, held_out, steps = _chosen(texts, settings)
    return Source(train, held_out, teacher, vectors, digest), steps


def _chosen(texts: Texts, settings: DistillSettings) -> tuple[Texts, Texts, int]:
    """Hold some texts out, and of the others take as many as are trained on: a teacher is slow."""
    if len(texts) < 4:
        raise DataError(f"{len(texts)} different texts are too few to train on some and score others; give 4 or more")
    order = np.random.default_rng((settings.seed, _ORDER)).permutation(len(texts))
    count = min(MOST_HELD_OUT, max(2, round(len(texts) * settings.held_out)))
    held_out, train = order[:count], order[count:]
    lengths = texts.lengths
    step_tokens = settings.batch_size * float(lengths[train].mean())
    steps = settings.steps
    if steps is None and settings.tokens is not None:
        steps = max(1, round(settings.tokens / step_tokens))
    if steps is not None:
        train = train[: max(2, steps * settings.batch_size)]
    if steps is None:
        steps = -(-len(train) // settings.batch_size)
    # In the order that was drawn: with more tokens the same texts come first, and the cache has their vectors.
    return texts.take(train), texts.take(held_out), steps


def batches_of(
    texts: Texts, vectors: npt.NDArray[np.float16], tokenizer: AnyTokenizer, settings: DistillSettings
) -> DistillBatches:
    """Return plain batches: nothing masked, every text one segment, every position the first."""
    return DistillBatches(
        texts, vectors, tokenizer.cls_id, tokenizer.sep_id, batch_size=settings.batch_size, seed=settings.seed
    )


def with_masks(
    batches: DistillBatches, tokenizer: AnyTokenizer, *, mlm_probability: float, num_positions: int = 0
) -> DistillBatches:
    """Return the same batches with masked words, and half of the texts as two segments.

    Args:
        batches: plain ones.
        tokenizer: the student's.
        mlm_probability: share of tokens that are predicted.
        num_positions: see `DistillBatches`.
    """
    specials = {tokenizer.special_id(piece) for piece in tokenizer.specials}
    starts = word_start_table(tokenizer.all_pieces)
    words = np.array([piece for piece in range(tokenizer.vocab_size) if piece not in specials])
    rule = MaskingRule(starts, tokenizer.mask_id, words, share=mlm_probability)
    return replace(batches, rule=rule, word_starts=starts, num_positions=num_positions)
