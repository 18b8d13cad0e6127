"""PretrainSettings: all settings of a pretraining, and the recipe for those that are not set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from albertkit.config import AlbertConfig
from albertkit.training.pretraining.stages import Stages
from albertkit.training.schedules import Schedule, check_schedule
from albertkit.training.shared_settings import TokenSettings


@dataclass(frozen=True, kw_only=True)
class PretrainSettings(TokenSettings):
    """One run. None means: what the recipe for the size says."""

    BOUNDS: ClassVar[Mapping[str, float]] = {
        "tokens": 1, "batch_tokens": 1, "accumulate": 1, "max_length": 8, "eval_tokens": 1, "workers": 0,
    }  # fmt: skip
    SHARES: ClassVar[tuple[str, ...]] = ("warmup", "held_out", "short_share")
    PARTS: ClassVar[Mapping[str, float]] = {"cooldown": 1, "eval_share": 1}
    STARTS: ClassVar[str] = "--model to continue from a checkpoint, or --config to start afresh"

    data: str
    """Folder of shards, from `albertkit prepare`."""
    out: str
    """The run directory to make."""
    init: str = "informed"
    """How fresh weights begin: `informed` or `random`."""
    stages: str | None = None
    """LAYERSxLENGTH:SHARE,.. ; default: one stage of all layers at `max_length`."""
    max_length: int | None = None
    """Longest sequence in tokens; default: the shards' own."""
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
    warmup: float = 0.01
    cooldown: float = 0.3
    """Share of the steps that go down to 0, for the schedule of that name: constant, then down in the last part."""
    mlm_probability: float = 0.15
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
    eval_share: float = 0.05
    eval_tokens: int = 100_000
    """Tokens of held-out text that are scored on the way; all of it at the end."""
    compile: bool = False
    """Compile the layers (torch.compile): a slower start, faster steps; for long runs on a GPU."""
    gradient_checkpointing: bool = False
    """Keep only each layer's input and run the layer again in the backward pass: less memory, a third more time."""


# Highest rates for AdamW at some thousand tokens a step, by hidden size; nano's by trial (docs/nano.md), the
# others follow the fall of the rates that ALBERT's authors fine-tune with, and need a separate trial.
RATES: Mapping[int, float] = {256: 2e-3, 768: 5e-4, 1024: 3e-4, 2048: 1e-4, 4096: 5e-5}
CONTINUED = 0.25
"""Share of the learning rate when training continues from a trained checkpoint, to prevent forgetting."""
LAMB_RATE, LAMB_BATCH = 0.00176, 4096 * 512
"""The paper's rate, and the tokens of its batch; the rate falls with the square root of the batch."""
EPOCHS = 1.0
"""Passes over the corpus where neither steps nor tokens are given."""


@dataclass(frozen=True)
class ResolvedPretraining:
    """A pretraining with every choice made."""

    settings: PretrainSettings
    """What the user gave, with the choices below filled in: what `config.json` keeps."""
    steps: int
    """Optimizer steps."""
    learning_rate: float
    """The highest rate."""
    max_length: int
    """Longest sequence in tokens."""
    stages: Stages

    @property
    def schedule(self) -> Schedule:
        """The learning rate by step."""
        settings = self.settings
        return Schedule(
            settings.schedule,
            peak=self.learning_rate,
            total_steps=self.steps,
            warmup_steps=round(self.steps * settings.warmup),
            cooldown_steps=round(self.steps * settings.cooldown),
        )

    @property
    def evaluate_every(self) -> int:
        """Steps from one score of held-out text to the next."""
        return max(1, round(self.steps * self.settings.eval_share))


def resolve(
    settings: PretrainSettings, config: AlbertConfig, *, corpus_tokens: int, max_length: int, processes: int
) -> ResolvedPretraining:
    """Make every choice that is open.

    >>> from albertkit.config import PUBLISHED
    >>> settings = PretrainSettings(data="d", out="o", config="albert-nano", tokens=1e6)
    >>> resolved = resolve(settings, PUBLISHED["albert-nano"], corpus_tokens=10**6, max_length=128, processes=1)
    >>> resolved.learning_rate, resolved.steps, resolved.settings.stages
    (0.002, 244, '6x128:1')

    Args:
        settings: what the user gave.
        config: configuration of the network.
        corpus_tokens: tokens that may be trained on.
        max_length: longest sequence that the shards were prepared for.
        processes: how many train together.

    Raises:
        UsageError: stages that the network does not have, or an unknown schedule.
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
    written = settings.stages or f"{config.num_hidden_layers}x{length}:1"
    stages = Stages.parse(written)
    stages.check(config, batch_tokens=settings.batch_tokens)
    check_schedule(settings.schedule)
    filled = replace(settings, learning_rate=rate, max_length=length, stages=written, steps=steps, tokens=None)
    return ResolvedPretraining(filled, steps, rate, length, stages)
