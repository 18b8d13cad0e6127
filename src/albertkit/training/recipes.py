"""Defaults by data set and model: the published GLUE recipes, and ours for nano and for frozen encoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from albertkit.training.settings import FinetuneSettings


@dataclass(frozen=True)
class Recipe:
    """What a setting is when the user does not give it."""

    learning_rate: float
    batch_size: int
    epochs: int | None = None
    steps: int | None = None
    warmup_steps: int | None = None
    max_length: int = 128


# google-research/albert run_glue.sh (v2 models; learning rate, batch size, steps, warm-up steps; 512 tokens).
GLUE: Mapping[str, Recipe] = {
    f"glue/{name}": Recipe(rate, batch, steps=steps, warmup_steps=warmup, max_length=512)
    for name, rate, batch, steps, warmup in (
        ("cola", 1e-5, 16, 5336, 320),
        ("stsb", 2e-5, 16, 3598, 214),
        ("sst2", 1e-5, 32, 20935, 1256),
        ("mnli", 3e-5, 128, 10000, 1000),
        ("qnli", 1e-5, 32, 33112, 1986),
        ("qqp", 5e-5, 128, 14000, 1000),
        ("rte", 3e-5, 32, 800, 200),
        ("mrpc", 2e-5, 32, 800, 200),
        ("wnli", 2e-5, 16, 2000, 250),  # paper, table 14
    )
}
GENERAL = Recipe(3e-5, 32, epochs=3)
"""A pretrained encoder on other data."""
NANO = Recipe(5e-4, 32, epochs=3)
"""albert-nano: small enough for a higher rate."""
FROZEN = Recipe(1e-3, 128, epochs=100)
"""A head on frozen features: Keras' own rate for Adam and the tutorial's batch size."""
LENGTHS: Mapping[str, int] = {"question_answering": 384, "multiple_choice": 512}
"""Longest inputs of tasks that read passages: run_squad's and run_race's own defaults."""
WARMUP = 0.1
"""Share of steps that warm up where a recipe names no number."""


def complete(
    settings: FinetuneSettings, *, nano: bool, positions: int = 512, task: str = "classification"
) -> FinetuneSettings:
    """Return the settings with every open choice filled in from the recipe.

    >>> settings = complete(FinetuneSettings(model="m", data="glue/rte", out="o"), nano=False)
    >>> settings.learning_rate, settings.batch_size, settings.steps, settings.warmup
    (3e-05, 32, 800, 0.25)

    Args:
        settings: what the user gave.
        nano: whether the network is of nano's size.
        positions: the most tokens that the network takes; a recipe's length is cut to it.
        task: what the data set is for.
    """
    recipe = FROZEN if settings.freeze_encoder else NANO if nano else GLUE.get(settings.data, GENERAL)
    optimizer = settings.optimizer or ("adam" if settings.freeze_encoder else "adamw")
    if settings.epochs is None and settings.steps is None:
        settings = replace(settings, epochs=recipe.epochs, steps=recipe.steps)
    schedule = settings.schedule or ("constant" if optimizer == "adam" else "linear")
    warmup = settings.warmup
    if warmup is None:
        warmup = 0.0 if optimizer == "adam" else WARMUP
        if optimizer != "adam" and recipe.steps is not None and recipe.warmup_steps is not None:
            warmup = recipe.warmup_steps / recipe.steps
    return replace(
        settings,
        optimizer=optimizer,
        schedule=schedule,
        warmup=warmup,
        learning_rate=settings.learning_rate or recipe.learning_rate,
        batch_size=settings.batch_size or recipe.batch_size,
        max_length=settings.max_length or min(LENGTHS.get(task, recipe.max_length), positions),
    )
