"""DistillSettings: everything that a distillation was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from albertkit.training.shared_settings import TokenSettings

STARTS = ("teacher", "widen", "keep")
"""Where word embeddings begin: with the teacher's vectors of single pieces, with the student's own and these in further
dimensions, or with what the student has."""
LEAST_LENGTH = 8
RATE, KEEPING_RATE = 1e-3, 1e-4
"""Default learning rates. At 1e-3 the cosine of a distilled albert-nano falls from 0.65 to 0.17 in three steps."""


@dataclass(frozen=True, kw_only=True)
class DistillSettings(TokenSettings):
    """One run. None means: by the teacher, the student and the texts."""

    BOUNDS: ClassVar[Mapping[str, float]] = {
        "tokens": 1, "batch_size": 2, "max_length": LEAST_LENGTH, "workers": 1, "pretraining_weight": 0,
        "pooler_weight": 0, "relation_weight": 0, "extra_dimensions": 1,
    }  # fmt: skip
    PARTS: ClassVar[Mapping[str, float]] = {"eval_share": 1, "held_out": 0.5}

    teacher: str
    """A sentence-transformers folder, an albertkit model or run, or vectors: .npy (one row per text of `data`) or
    .parquet (columns text and vector)."""
    data: str | tuple[str, ...]
    """Files of texts (one per line, or a table), and folders of .txt files; none with a .parquet teacher."""
    out: str
    """The run directory to make."""
    text_column: str | None = None
    """Column of the text, where `data` is a table."""
    encoding: str | None = None
    """Of text files; default: the byte order mark says it, else it is UTF-8."""
    start: str | None = None
    """`teacher`, `widen` or `keep`. None: `teacher` for fresh weights whose teacher can embed pieces; else `keep`."""
    extra_dimensions: int | None = None
    """How many `widen` adds to the word embeddings. None: 3/8 of the hidden size, or as many as there can be."""
    by_sentence: bool = False
    """Cut every text into single sentences and short runs of them; otherwise only texts that are too long."""
    relation_weight: float = 2.0
    """Of the relation error of each vector; the weight of 1 - cosine is 1."""
    pooler_weight: float = 0.1
    """Of the losses of the pooler's output; the mean's weight is 1. At 1 they change the encoder faster than it learns
    to gather a text in its first token, and the mean gets worse."""
    pretraining: bool = False
    """Also train masked words and sentence order, on the same passes."""
    pretraining_weight: float = 1.0
    """Of the losses of masked words and sentence order."""
    mlm_probability: float = 0.15
    """Share of tokens that are predicted, where `pretraining` is set."""
    max_length: int = 128
    """Longest input in tokens; longer texts are cut between sentences."""
    batch_size: int = 64
    """Texts of one optimizer step, all of which are compared with each other."""
    learning_rate: float | None = None
    """The highest rate. None: `RATE`, or `KEEPING_RATE` where the student begins with the teacher's vectors: with
    `widen`, or from a checkpoint with a map that an earlier distillation made."""
    word_rate: float = 3.0
    """Factor on the learning rate of the word embeddings."""
    layer_rate: float = 1.0
    """Factor on the learning rate of the layers' weights. Trained layers forget less with a factor below 1."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", (self.data,) if isinstance(self.data, str) else tuple(self.data))
        super().__post_init__()

    def _problems(self) -> list[str]:
        problems = super()._problems()
        problems += [
            f"{name.replace('_', '-')} is {value}; it is a factor above 0 and at most 100, such as {usual}"
            for name, usual in (("word_rate", 3), ("layer_rate", 0.3))
            if not 0 < (value := getattr(self, name)) <= 100
        ]
        if self.start is not None and self.start not in STARTS:
            problems.append(f'start is "{self.start}"; it must be one of {", ".join(STARTS)}')
        if self.start == "widen" and self.config is not None:
            problems.append("start widen adds to a checkpoint: give --model, or pass --start teacher")
        if self.extra_dimensions is not None and self.start != "widen":
            problems.append("extra-dimensions belongs to --start widen")
        return problems
