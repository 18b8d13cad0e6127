"""Stages of a pretraining: how many layers run and how long sequences are, for which share of the steps.

ALBERT's layers share their weights, so a network trained with one layer is a start for two, and those for six: the
first stages cost a fraction of the last (progressive stacking, for free). Short sequences first save attention, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from albertkit.config import AlbertConfig
from albertkit.data.pretraining.segments import LEAST_LENGTH
from albertkit.errors import UsageError

_FORM = re.compile(r"(\d+)x(\d+)(?::(\d*\.?\d+))?")


class Stage(NamedTuple):
    """A part of the run."""

    layers: int
    """Layers that run."""
    length: int
    """Longest sequence in tokens."""
    share: float
    """Share of the optimizer steps, in (0, 1]."""


@dataclass(frozen=True)
class Stages:
    """The parts of a run, in order."""

    stages: tuple[Stage, ...]

    @classmethod
    def parse(cls, text: str) -> Stages:
        """Read `LAYERSxLENGTH:SHARE,...`; shares left out divide what the others leave.

        >>> Stages.parse("1x64:.2,2x64:.2,6x128").stages[-1]
        Stage(layers=6, length=128, share=0.6)

        Raises:
            UsageError: another form, or shares that do not make a whole.
        """
        parts = []
        for part in text.split(","):
            found = _FORM.fullmatch(part.strip())
            if found is None:
                raise UsageError(f'"{part}" is not a stage; write LAYERSxLENGTH:SHARE, such as 1x64:0.2,6x128:0.8')
            parts.append((int(found[1]), int(found[2]), None if found[3] is None else float(found[3])))
        given = sum(share for *_, share in parts if share is not None)
        open_parts = sum(share is None for *_, share in parts)
        if any(share == 0 for *_, share in parts) or (given >= 1 if open_parts else abs(given - 1) > 1e-6):
            raise UsageError(f'the shares of "{text}" make {given:g}; they are above 0 and make 1 together')
        rest = round((1 - given) / open_parts, 9) if open_parts else 0.0
        return cls(tuple(Stage(layers, length, rest if share is None else share) for layers, length, share in parts))

    def check(self, config: AlbertConfig, *, batch_tokens: int) -> None:
        """Compare with the network.

        Raises:
            UsageError: more layers or positions than the network has, fewer layers of one with several groups, a
                last stage without all layers, a batch too small for one sequence.
        """
        for layers, length, _ in self.stages:
            if layers < 1 or layers > config.num_hidden_layers:
                raise UsageError(f"a stage has {layers} layers; the network has 1 to {config.num_hidden_layers}")
            if layers != config.num_hidden_layers and config.num_hidden_groups > 1:
                raise UsageError("the number of layers can grow only if all layers share one group of weights")
            if length < LEAST_LENGTH or length > config.max_position_embeddings:
                raise UsageError(
                    f"a stage has sequences of {length} tokens; the length must be {LEAST_LENGTH} to "
                    f"{config.max_position_embeddings}"
                )
            if batch_tokens < length:
                raise UsageError(f"--batch-tokens {batch_tokens} is less than one sequence of {length} tokens")
        if self.stages[-1].layers != config.num_hidden_layers:
            raise UsageError(
                f"the last stage has {self.stages[-1].layers} layers; it must train all {config.num_hidden_layers}"
            )

    def at(self, step: int, *, total_steps: int) -> tuple[int, Stage]:
        """Return number and stage of a step, from 0.

        >>> Stages.parse("1x64:.5,2x64:.5").at(50, total_steps=100)[0]
        1
        """
        passed = 0.0
        for number, stage in enumerate(self.stages):
            passed += stage.share
            left = len(self.stages) - number - 1  # a short run still ends with a step of the last stage
            if step < min(round(passed * total_steps), total_steps - left):
                return number, stage
        return len(self.stages) - 1, self.stages[-1]

    def __str__(self) -> str:
        return ",".join(f"{stage.layers}x{stage.length}:{stage.share:.9g}" for stage in self.stages)
