"""PretrainSettings: everything that a pretraining was asked for, and the recipe for what was left open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from albertkit.config import AlbertConfig
from albertkit.errors import UsageError
from albertkit.training.settings import below_bounds


@dataclass(frozen=True)
class PretrainSettings:
    """One run. None means: what the recipe for the size says."""

    data: str
    """Folder of shards, from `albertkit prepare`."""
    out: str
    """The run directory to make."""
    model: str | None = None
    """Known name, model folder or run to go on from; or `config`."""
    config: str | None = None
    """Known name or config.json of a network that starts anew."""
    init: str = "informed"
    """How fresh weights begin: `informed` or `random`."""
    stages: str | None = None
    """LAYERSxLENGTH:SHARE,.. ; one stage of all layers at `max_length` when left out."""
    max_length: int | None = None
    """Longest sequence in tokens; the shards' own when left out."""
    steps: int | None = None
    """Optimizer steps; or `tokens`."""
    tokens: float | None = None
    """Tokens to train on, about."""
    batch_tokens: int = 4096
    """Tokens of one forward pass of one process, about."""
    accumulate: int = 1
    """Forward passes of each process in one optimizer step."""
    optimizer: str = "adamw"
    """adamw or lamb."""
    bias_correction: bool = True
    """False: Google's forms, made for batches of 4096 sequences."""
    learning_rate: float | None = None
    """The highest rate."""
    schedule: str = "linear"
    """`linear` (warm-up, then down to 0), `constant`, or `cooldown` (constant, then down to 0 in the last part)."""
    warmup: float = 0.01
    """Share of the steps that warm up."""
    cooldown: float = 0.3
    """Share of the steps that go down to 0, for the schedule of that name."""
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    """Longest gradient; 0 does not clip."""
    mask_share: float = 0.15
    """Share of tokens that are predicted."""
    max_ngram: int = 3
    """Words of the longest masked n-gram."""
    short_share: float = 0.1
    """Share of sequences of a shorter random length."""
    spread_positions: bool = True
    """Let short sequences begin anywhere among the positions, so that those of long ones are trained, too."""
    google_quirks: bool = False
    """Make instances as Google's create_pretraining_data.py does, its oddities included."""
    held_out: float = 0.01
    """Share of documents that are never trained on and score the run."""
    eval_share: float = 0.05
    """Score held-out text after each such share of the steps."""
    eval_tokens: int = 100_000
    """Tokens of held-out text that are scored on the way; all of it at the end."""
    seed: int = 12345
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    workers: int | None = None
    """Processes that build batches ahead; some where a GPU trains, none on a processor, when left out."""
    compile: bool = False
    """Compile the layers (torch.compile): a slower start, faster steps; for long runs on a GPU."""
    recompute: bool = False
    """Keep each layer's input alone and run the layer again on the way back: less memory, a third more time."""
    save_seconds: float = 120.0
    """Save a checkpoint at least this often, in seconds."""
    tensorboard: bool = False
    """Write event files for TensorBoard beside metrics.jsonl."""

    def __post_init__(self) -> None:
        problems = below_bounds(
            self, steps=1, tokens=1, batch_tokens=1, accumulate=1, max_length=8, eval_tokens=1, seed=0, weight_decay=0,
            clip_norm=0, save_seconds=0, workers=0,
        )  # fmt: skip
        problems += [
            f"{name.replace('_', '-')} is {value}; it is a share, from 0 to below 1"
            for name in ("warmup", "held_out", "short_share")
            if not 0 <= (value := getattr(self, name)) < 1
        ]
        problems += [
            f"{name.replace('_', '-')} is {value}; it is a share above 0 and at most 1"
            for name in ("cooldown", "eval_share")
            if not 0 < (value := getattr(self, name)) <= 1
        ]
        if (self.model is None) == (self.config is None):
            problems.append("give --model to go on from a checkpoint, or --config to start anew, one of them")
        if self.learning_rate is not None and not 0 < self.learning_rate < 1:
            problems.append(f"learning-rate is {self.learning_rate}; it must be above 0 and below 1, such as 1e-3")
        if self.steps is not None and self.tokens is not None:
            problems.append("steps and tokens are both given; give one of them")
        if self.seed >= 2**32:
            problems.append(f"seed is {self.seed}; it must be below 2**32 = {2**32}")
        if problems:
            raise UsageError("; ".join(problems))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)


# Highest rates for AdamW at some thousand tokens a step, by hidden size; nano's by trial (docs/nano.md), the
# others follow the fall of the rates that ALBERT's authors fine-tune with, and want a trial of one's own.
RATES: Mapping[int, float] = {256: 2e-3, 768: 5e-4, 1024: 3e-4, 2048: 1e-4, 4096: 5e-5}
CONTINUED = 0.25
"""Going on from a trained checkpoint: this part of the rate, so that what it knows is not washed away."""
LAMB_RATE, LAMB_BATCH = 0.00176, 4096 * 512
"""The paper's rate, and the tokens of its batch; the rate falls with the square root of the batch."""
EPOCHS = 1.0
"""Passes over the corpus where neither steps nor tokens are given."""


def complete(
    settings: PretrainSettings, config: AlbertConfig, *, corpus_tokens: int, max_length: int, processes: int
) -> PretrainSettings:
    """Return the settings with every open choice filled in.

    >>> from albertkit.config import PUBLISHED
    >>> settings = PretrainSettings(data="d", out="o", config="albert-nano", tokens=1e6)
    >>> filled = complete(settings, PUBLISHED["albert-nano"], corpus_tokens=10**6, max_length=128, processes=1)
    >>> filled.learning_rate, filled.steps, filled.stages
    (0.002, 244, '6x128:1')

    Args:
        settings: what the user gave.
        config: of the network.
        corpus_tokens: tokens that may be trained on.
        max_length: longest sequence that the shards were prepared for.
        processes: how many train together.
    """
    step_tokens = settings.batch_tokens * settings.accumulate * processes
    rate = settings.learning_rate
    if rate is None and settings.optimizer == "lamb":
        rate = LAMB_RATE * (step_tokens / LAMB_BATCH) ** 0.5
    if rate is None:
        rate = RATES[min(RATES, key=lambda width: abs(width - config.hidden_size))]
    if settings.learning_rate is None and settings.model is not None:
        rate *= CONTINUED
    length = settings.max_length or min(max_length, config.max_position_embeddings)
    steps = settings.steps or max(1, round((settings.tokens or EPOCHS * corpus_tokens) / step_tokens))
    return replace(
        settings,
        learning_rate=rate,
        max_length=length,
        stages=settings.stages or f"{config.num_hidden_layers}x{length}:1",
        steps=steps,
        tokens=None,
    )
