"""FinetuneSettings: everything that a fine-tuning run was asked for; written to its `config.json`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from albertkit.training.shared_settings import SharedSettings

LONG = ("truncate", "windows", "sentences")
"""What becomes of a text that is longer than the network reads."""


@dataclass(frozen=True)
class FinetuneSettings(SharedSettings):
    """One run. None means: what the recipe for this data and model says."""

    BOUNDS: ClassVar[Mapping[str, float]] = {
        "epochs": 1, "batch_size": 1, "batch_tokens": 1, "limit": 1, "train_limit": 1, "max_length": 3, "stride": 1,
        "max_windows": 1, "patience": 1,
    }  # fmt: skip
    HIGHEST_RATE: ClassVar[tuple[float, str]] = (1000, "3e-5")

    model: str
    """Known name, model folder or run directory to start from."""
    data: str | Any
    """Known data set, path, hf: and a name, or a table in memory (`load_dataset`), of which the run keeps the type."""
    out: str
    """The run directory to make."""
    task: str | None = None
    """classification, regression or multilabel; default: the data set's own."""
    data_dir: str | None = None
    """Local copy of a known data set: a folder or an archive."""
    text_column: str | None = None
    pair_column: str | None = None
    label_column: str | None = None
    labels: tuple[str, ...] | None = None
    """Names of the classes of a table in the order of their indices; default: those of the training file."""
    encoding: str | None = None
    """Of a text file; default: what its byte order mark says, else UTF-8."""
    skip_bad_rows: bool = False
    """Count malformed rows and go on, instead of stopping at the first."""
    train_split: str = "train"
    validation_split: str | None = None
    validation: float | None = None
    """Share of the training split to hold out for validation, in (0, 1)."""
    test_split: str | None = None
    test: float | None = None
    """Share of the training split to hold out for scoring, in (0, 1)."""
    few_shot: bool = False
    """Choose between frozen features and contrastive pairs by cross-validation: for few labelled rows."""
    freeze_encoder: bool = False
    """Train only the head, on features that are computed once per text."""
    head_hidden: tuple[int, ...] = ()
    """Widths of blocks before the last linear map."""
    head_norm: str = "none"
    """`batch` puts batch normalization into each block."""
    dimensions: tuple[int, ...] = ()
    """Similarity: sizes that the vectors are also trained to be cut to."""
    exits: bool = False
    """Also train a head after every layer before the last, so that texts can leave early."""
    pooling: str | None = None
    """What the head reads of each row: `mean`, `pair` (two texts), `pooler` or `cls`; default: from the recipe."""
    epochs: int | None = None
    batch_size: int | None = None
    """Examples of one optimizer step."""
    batch_tokens: int = 4096
    """The most tokens of one forward pass."""
    optimizer: str | None = None
    """adamw, adam or lamb."""
    learning_rate: float | None = None
    """The highest rate."""
    schedule: str | None = None
    """linear (warm-up, then down to 0) or constant."""
    warmup: float | None = None
    """Share of the steps that warm up, in [0, 1)."""
    max_length: int | None = None
    """Longest input in tokens."""
    long: str | None = None
    """What becomes of longer texts: `truncate` cuts them, `windows` reads them in several overlapping inputs,
    `sentences` reads each sentence for itself; default: truncate, and sentences for few-shot training on long texts."""
    stride: int | None = None
    """Tokens from one window to the next; default: half of max_length."""
    max_windows: int | None = None
    """Windows of a text at most; default: 8, or 64 sentences."""
    class_weights: str | dict[str, float] | None = None
    """What a mistake counts by class: `balanced`, or label -> weight (1 for labels not named)."""
    limit: int | None = None
    """Use only the first N examples of each split, and of the unlabelled texts."""
    train_limit: int | None = None
    """Train on only N examples, drawn by seed; the other splits stay whole."""
    patience: int | None = None
    """Stop after so many epochs without a better validation score; None goes to the end."""
    teacher: str | None = None
    """A run, model folder or export whose answers are learned, too; of the same task and labels."""
    unlabelled: tuple[str, ...] | None = None
    """Files of further training texts, for which only the teacher has an answer: one per line, or tables."""
    teacher_weight: float | None = None
    """Share of the teacher's loss, in (0, 1]; the labels' loss has the rest. 0.5 with a teacher."""
    temperature: float | None = None
    """What the logits of teacher and student are divided by, above 0; 2 with a teacher."""
    save_seconds: float = field(default=60.0, kw_only=True)
    """Save a checkpoint at least this often, in seconds; one is saved after every epoch too."""
    baseline: bool = True
    """Also score TF-IDF with logistic regression."""
    gradient_checkpointing: bool = False
    """Run each layer again for its gradient instead of keeping what it computed: less memory, a third more time."""
    plots: bool = True
    """Draw curves and tables into `plots/`."""

    def __post_init__(self) -> None:
        if self.unlabelled is not None:
            files = (self.unlabelled,) if isinstance(self.unlabelled, str) else tuple(self.unlabelled)
            object.__setattr__(self, "unlabelled", files or None)
        super().__post_init__()

    def _problems(self) -> list[str]:
        problems = super()._problems()
        if self.epochs is not None and self.steps is not None:
            problems.append("epochs and steps are both given; leave one of them out")
        if self.validation is not None and self.validation_split is not None:
            problems.append("validation (a share of train) and validation-split are both given; leave one of them out")
        if self.test is not None and self.test_split is not None:
            problems.append("test (a share of train) and test-split are both given; leave one of them out")
        if self.long not in (None, *LONG):
            problems.append(f'long is "{self.long}"; it must be {", ".join(LONG[:-1])} or {LONG[-1]}')
        elif self.long != "windows" and self.stride is not None:
            problems.append("stride is for long texts that are read in windows; add --long windows")
        elif self.long in (None, "truncate") and self.max_windows is not None:
            problems.append("max-windows is for long texts; add --long windows or --long sentences")
        return [*problems, *self._problems_of_weights(), *self._problems_of_teacher()]

    def _problems_of_weights(self) -> list[str]:
        if isinstance(self.class_weights, str) and self.class_weights != "balanced":
            return [f'class-weights is "{self.class_weights}"; it must be balanced or a weight for each label']
        return [
            f'the class weight of "{label}" is {weight}; it must be a number above 0'
            for label, weight in (self.class_weights.items() if isinstance(self.class_weights, dict) else ())
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < float("inf")
        ]

    def _problems_of_teacher(self) -> list[str]:
        problems = []
        given = {"unlabelled": self.unlabelled, "teacher-weight": self.teacher_weight, "temperature": self.temperature}
        lonely = [name for name, value in given.items() if value is not None]
        if self.teacher is None and lonely:
            problems.append(f"{' and '.join(lonely)} without a teacher; add --teacher RUN, a trained model")
        if self.temperature is not None and not 0 < self.temperature <= 100:
            problems.append(f"temperature is {self.temperature}; it must be above 0 and at most 100, such as 2")
        if self.teacher_weight is not None and not 0 < self.teacher_weight <= 1:
            problems.append(f"teacher-weight is {self.teacher_weight}; it must be above 0 and at most 1, such as 0.5")
        return problems

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FinetuneSettings:
        """Build from the result of `to_dict`; keys of another version are ignored.

        Raises:
            TypeError: a value is of another kind than its field.
            UsageError: a value cannot be.
        """
        known = {entry.name: str(entry.type).split(" | ") for entry in fields(cls)}
        kept = {key: value for key, value in values.items() if key in known}
        for key, value in kept.items():
            if not any(_KINDS[kind](value) for kind in known[key]):
                raise TypeError(f'"{key}" is {value!r:.80}')
        labels = kept.get("labels")
        return cls(
            **{
                **kept,
                **{name: tuple(kept.get(name, ())) for name in ("head_hidden", "dimensions")},
                "labels": None if labels is None else tuple(labels),
            }
        )


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


_KINDS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str) and "\0" not in value,  # no path has one
    "int": _is_int,
    "float": lambda value: isinstance(value, float) or _is_int(value),
    "bool": lambda value: isinstance(value, bool),
    "None": lambda value: value is None,
    "Any": lambda _: False,  # a table in memory, which is not saved
    "tuple[int, ...]": lambda value: isinstance(value, list | tuple) and all(_is_int(width) for width in value),
    "tuple[str, ...]": lambda value: isinstance(value, list | tuple) and all(isinstance(name, str) for name in value),
    "dict[str, float]": lambda value: isinstance(value, dict),
}
"""Annotation of a field -> whether a value is of that kind."""
