"""Settings that every training has in common, and the error messages for invalid values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from albertkit.errors import UsageError, check_arguments
from albertkit.training.trackers import TRACKERS


@dataclass(frozen=True, kw_only=True)
class SharedSettings:
    """One run; a subclass says what it trains.

    Raises:
        UsageError: invalid values, all of them in one sentence.
    """

    BOUNDS: ClassVar[Mapping[str, float]] = {}
    """Numbers of the subclass -> the minimum of each; None is not checked."""
    SHARES: ClassVar[tuple[str, ...]] = ("warmup",)
    """Numbers from 0 to below 1."""
    PARTS: ClassVar[Mapping[str, float]] = {}
    """Numbers above 0 -> the most that each may be."""
    HIGHEST_RATE: ClassVar[tuple[float, str]] = (1, "1e-3")
    """Every learning rate is below; and a usual one."""

    steps: int | None = None
    """Optimizer steps; instead of epochs or tokens."""
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    """Longest gradient; 0 does not clip."""
    seed: int = 12345
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    parallel: int | None = None
    """Workers of one thread each that share each step; None: one per thread where that is faster."""
    save_seconds: float = 120.0
    """Save a checkpoint at least this often, in seconds."""
    track: tuple[str, ...] = ()
    """Names of `TRACKERS` that get the curves and scores, too."""

    def __new__(cls, *_: Any, **named: Any) -> Any:
        """Refuse a misspelt setting before `__init__` does, by the nearest name."""
        check_arguments(named, [entry.name for entry in fields(cls)], of=cls.__name__)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        track = (self.track,) if isinstance(self.track, str) else self.track
        object.__setattr__(self, "track", tuple(dict.fromkeys(track)))
        if problems := self._problems():
            raise UsageError("; ".join(problems))

    def _problems(self) -> list[str]:
        bounds = {
            **self.BOUNDS,
            "steps": 1,
            "parallel": 1,
            "seed": 0,
            "weight_decay": 0,
            "clip_norm": 0,
            "save_seconds": 0,
        }
        problems = [
            f"{_option(name)} is {value}; it must be {bound} or more{' and finite' * (value == math.inf)}"
            for name, bound in bounds.items()
            if (value := getattr(self, name)) is not None and not bound <= value < math.inf
        ]
        problems += [
            f"{_option(name)} is {value}; it is a share, from 0 to below 1"
            for name in self.SHARES
            if (value := getattr(self, name)) is not None and not 0 <= value < 1
        ]
        problems += [
            f"{_option(name)} is {value}; it is a share above 0 and at most {most}"
            for name, most in self.PARTS.items()
            if not 0 < (value := getattr(self, name)) <= most
        ]
        rate, (highest, usual) = getattr(self, "learning_rate", None), self.HIGHEST_RATE
        if rate is not None and not 0 < rate < highest:
            problems.append(f"learning-rate is {rate}; it must be above 0 and below {highest}, such as {usual}")
        problems += [
            f'track is "{name}"; it must be {", ".join(TRACKERS)}' for name in self.track if name not in TRACKERS
        ]
        if self.seed >= 2**32:
            problems.append(f"seed is {self.seed}; it must be below 2**32 = {2**32}")
        return problems

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class TokenSettings(SharedSettings):
    """One run that starts from a checkpoint or from fresh weights, counts tokens, and scores held-out text."""

    PARTS: ClassVar[Mapping[str, float]] = {"eval_share": 1}
    STARTS: ClassVar[str] = "--model to train a checkpoint further, or --config for fresh weights"

    model: str | None = None
    """Known name, model folder or run to train further; or `config`."""
    config: str | None = None
    """Known name or config.json of a network that starts from fresh weights."""
    tokens: float | None = None
    """Tokens to train on, about, instead of steps; one pass over the text when both are left out."""
    schedule: str = "linear"
    """`linear` (warm-up, then down to 0) or `constant`; a pretraining also has `cooldown`."""
    warmup: float = 0.05
    """Share of the steps that warm up."""
    held_out: float = 0.02
    """Share of the text that is never trained on and scores the run."""
    eval_share: float = 0.1
    """Score held-out text after each such share of the steps."""
    workers: int | None = None
    """Processes that work ahead: on batches, or on a teacher's vectors."""

    def _problems(self) -> list[str]:
        problems = super()._problems()
        if (self.model is None) == (self.config is None):
            problems.append(f"give {self.STARTS}, one of them")
        if self.steps is not None and self.tokens is not None:
            problems.append("steps and tokens are both given; give one of them")
        return problems


def _option(name: str) -> str:
    return name.replace("_", "-")
