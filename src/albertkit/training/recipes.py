"""Defaults by data set, task and model: the published recipes, and ours for nano and for frozen encoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import ceil

from albertkit.tasks.objective import objective_of
from albertkit.tasks.task import Task
from albertkit.training.settings import FinetuneSettings


@dataclass(frozen=True)
class Recipe:
    """What a setting is when the user does not give it."""

    learning_rate: float
    batch_size: int
    epochs: int | None = None
    steps: int | None = None
    warmup_steps: int | None = None
    max_length: int | None = None
    """Longest input in tokens; that of the task if None."""
    pooling: str = "mean"
    """What a head that reads whole texts reads of each; for two texts, `pair` instead of `mean`."""


# google-research/albert run_glue.sh (v2 models; learning rate, batch size, steps, warm-up steps; 512 tokens).
GLUE: Mapping[str, Recipe] = {
    f"glue/{name}": Recipe(rate, batch, steps=steps, warmup_steps=warmup, max_length=512, pooling="pooler")
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
PUBLISHED: Mapping[str, Recipe] = {
    **GLUE,
    # paper, table 14; RACE's rate is that of run_race.py and the README, for v2 models
    "squad/v1": Recipe(5e-5, 48, steps=3649, warmup_steps=365, max_length=384),
    "squad/v2": Recipe(3e-5, 48, steps=8144, warmup_steps=814, max_length=512),
    "race": Recipe(1e-5, 32, steps=12000, warmup_steps=1000, max_length=512, pooling="pooler"),
}
GENERAL = Recipe(3e-5, 32, epochs=3)
"""A pretrained encoder on other data."""
NANO_EPOCHS: Mapping[str, int] = {
    # As many epochs as the published steps make: 5336 steps of 16 are ten times CoLA's 8,551 rows, and so on. The large
    # four (sst2, mnli, qnli, qqp) keep the task's three, and WNLI, 50 epochs in the paper, gets the ten of the others.
    "glue/cola": 10,
    "glue/stsb": 10,
    "glue/rte": 10,
    "glue/mrpc": 7,
    "glue/wnli": 10,
}
"""albert-nano on small data sets, for which the task's epochs are too few; the best epoch on dev is kept anyhow."""
FROZEN = Recipe(1e-3, 128, epochs=100)
"""A head on frozen features: Keras' own rate for Adam and the tutorial's batch size."""
WARMUP = 0.1
"""Share of steps that warm up where a recipe names no number."""
FEWEST_STEPS = 300
"""Optimizer steps that a small table gets: fewer are seldom enough for a fresh head and a whole encoder."""
MOST_EPOCHS = 30
"""Epochs that a small table gets at most."""
PATIENCE = 5
"""Epochs without a better validation score after which training on a small table stops."""


@dataclass(frozen=True)
class LoopSettings:
    """What the loop of a full training needs to know: every choice is made."""

    optimizer: str
    learning_rate: float
    """The highest rate."""
    schedule: str
    warmup: float
    """Share of the steps that warm up."""
    batch_size: int
    """Examples of one optimizer step."""
    epochs: int | None
    steps: int | None
    """Optimizer steps, instead of epochs."""
    patience: int | None
    """Stop after so many epochs without a better validation score; None goes to the end."""

    def total_steps(self, per_epoch: int) -> int:
        """Return the optimizer steps of the whole training.

        Args:
            per_epoch: of one epoch.
        """
        return self.steps or (self.epochs or 1) * per_epoch


def complete(
    settings: FinetuneSettings, *, nano: bool, positions: int = 512, task: Task, rows: int, pairs: bool = False
) -> tuple[FinetuneSettings, int, LoopSettings | None]:
    """Fill in from the recipe what the user left open.

    A recipe's epochs that make fewer than `FEWEST_STEPS` become more, and training may then stop early.

    >>> from albertkit.tasks.classification import CLASSIFICATION as task
    >>> settings, _, _ = complete(FinetuneSettings("m", "glue/rte", "o"), nano=False, task=task, rows=2490)
    >>> settings.learning_rate, settings.batch_size, settings.steps, settings.warmup, settings.pooling
    (3e-05, 32, 800, 0.25, 'pooler')
    >>> settings, _, _ = complete(FinetuneSettings("m", "own.csv", "o"), nano=True, task=task, rows=480)
    >>> settings.epochs, settings.batch_size, settings.patience, settings.pooling
    (20, 32, 5, 'mean')

    Args:
        settings: what the user gave.
        nano: whether the network is of nano's size.
        positions: the most tokens that the network takes; a recipe's length is cut to it.
        task: what is trained.
        rows: how many train.
        pairs: whether each is of two texts.

    Returns:
        The settings with every choice, as `config.json` keeps them; the longest input in tokens; what the loop needs to
        know, None for few-shot training, which plans its own steps.
    """
    if settings.few_shot:
        length = settings.max_length or positions  # a text passes the encoder a few times only: all of it is read
        return replace(settings, max_length=length), length, None
    if settings.freeze_encoder:
        recipe = FROZEN
    elif nano:
        of_data = None if settings.task else NANO_EPOCHS.get(settings.data)
        recipe = Recipe(task.nano_learning_rate, 32, epochs=of_data or task.nano_epochs)
    else:
        recipe = PUBLISHED.get(settings.data, GENERAL)
    optimizer = settings.optimizer or ("adam" if settings.freeze_encoder else "adamw")
    batch_size = settings.batch_size or recipe.batch_size
    pools = objective_of(task).reads == "sequences"
    epochs, steps, patience = settings.epochs, settings.steps, settings.patience
    if epochs is None and steps is None:
        epochs, steps = recipe.epochs, recipe.steps
        enough = min(ceil(FEWEST_STEPS / ceil(max(rows, 1) / batch_size)), MOST_EPOCHS)
        if epochs is not None and epochs < enough:
            epochs, patience = enough, patience or PATIENCE
    warmup = settings.warmup
    if warmup is None:
        warmup = 0.0 if optimizer == "adam" else WARMUP
        if optimizer != "adam" and recipe.steps is not None and recipe.warmup_steps is not None:
            warmup = recipe.warmup_steps / recipe.steps
    loop = LoopSettings(
        optimizer=optimizer,
        learning_rate=settings.learning_rate or recipe.learning_rate,
        schedule=settings.schedule or ("constant" if optimizer == "adam" else "linear"),
        warmup=warmup,
        batch_size=batch_size,
        epochs=epochs,
        steps=steps,
        patience=patience,
    )
    length = settings.max_length or min(recipe.max_length or task.default_length, positions)
    by_recipe = "pair" if pairs and recipe.pooling == "mean" else recipe.pooling
    pooling = settings.pooling or task.default_pooling or by_recipe if pools else None
    return replace(settings, max_length=length, pooling=pooling, **asdict(loop)), length, loop
