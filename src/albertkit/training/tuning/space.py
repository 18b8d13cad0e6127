"""What a search varies, within which bounds, and the settings of a trial."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from albertkit.config import HEAD_POOLINGS
from albertkit.errors import UsageError
from albertkit.tasks.objective import objective_of
from albertkit.training.finetune import prepare
from albertkit.training.recipes import FROZEN
from albertkit.training.settings import FinetuneSettings

SEARCHED = ("learning_rate", "epochs", "pooling", "max_length", "freeze_encoder")
"""Fields of `FinetuneSettings` that a search may vary, in the order of its table."""

_WIDER = 4.0
"""The recipe's learning rate times and divided by this bounds a search, where no bounds are given."""


@dataclass(frozen=True)
class Space:
    """Bounds and choices. A range of one value, and one choice, are fixed.

    Raises:
        UsageError: a range or choice that cannot be.
    """

    learning_rate: tuple[float, float] | None = None
    """Lowest and highest; None: around the recipe's, of a frozen encoder its own."""
    epochs: tuple[int, int] | None = None
    """Fewest and most; None: from a third of the recipe's to twice as many."""
    pooling: tuple[str, ...] | None = None
    """None: those that suit texts or pairs, where the task pools."""
    max_length: tuple[int, ...] | None = None
    """In tokens; None: the recipe's, its half and its double."""
    freeze_encoder: tuple[bool, ...] | None = None
    """Whether only the head is trained; None: both. ALBERT's layers share weights, so there is nothing between."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {bounds[0]:g}:{bounds[1]:g}; give LOW:HIGH with 0 < LOW <= HIGH"
            for name, bounds in (("learning-rate", self.learning_rate), ("epochs", self.epochs))
            if bounds is not None and not 0 < bounds[0] <= bounds[1] < math.inf
        ]
        problems += [
            f"{name} has no choice" for name in SEARCHED if getattr(self, name) is not None and not getattr(self, name)
        ]
        problems += [
            f'pooling is "{each}"; it must be {", ".join(HEAD_POOLINGS)}'
            for each in self.pooling or ()
            if each not in HEAD_POOLINGS
        ]
        if problems:
            raise UsageError("; ".join(problems))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {name: None if value is None else list(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Search:
    """A complete space, and the settings that all trials share."""

    base: FinetuneSettings
    """What is not searched."""
    recipe: dict[str, Any]
    """Field -> value of the recipe: the first trial."""
    rates: dict[bool, tuple[float, float]]
    """Bounds of the learning rate, without and with a frozen encoder."""
    epochs: tuple[int, int]
    pooling: tuple[str, ...]
    """Empty where the task does not pool."""
    max_length: tuple[int, ...]
    freeze_encoder: tuple[bool, ...]
    metric: str
    """The main metric of the validation split: what a search maximizes."""

    @property
    def searched(self) -> tuple[str, ...]:
        """Fields with more than one value."""
        return tuple(
            name
            for name in SEARCHED
            if (
                any(low < high for low, high in self.rates.values())
                if name == "learning_rate"
                else self.epochs[0] < self.epochs[1]
                if name == "epochs"
                else len(getattr(self, name)) > 1
            )
        )

    def suggested(self, trial: Any) -> dict[str, Any]:
        """Return Optuna's choice of every field.

        The learning rate is suggested as a place between its bounds, from 0 to 1, since the bounds differ for a frozen
        encoder.
        """
        frozen = bool(trial.suggest_categorical("freeze_encoder", list(self.freeze_encoder)))
        low, high = self.rates[frozen]
        place = trial.suggest_float("learning_rate", 0.0, 1.0)
        chosen: dict[str, Any] = {
            "learning_rate": float(f"{low * (high / low) ** place:.3g}"),
            "epochs": trial.suggest_int("epochs", *self.epochs, log=self.epochs[1] > 4 * self.epochs[0]),
        }
        if self.pooling:
            chosen["pooling"] = trial.suggest_categorical("pooling", list(self.pooling))
        chosen["max_length"] = trial.suggest_categorical("max_length", list(self.max_length))
        return {**chosen, "freeze_encoder": frozen}

    def first(self) -> dict[str, Any]:
        """Return what Optuna is to try first: the recipe."""
        chosen = {name: self.recipe[name] for name in SEARCHED if name in self.recipe}
        low, high = self.rates[chosen["freeze_encoder"]]
        rate = math.log(chosen["learning_rate"] / low) / math.log(high / low) if low < high else 0.0
        return {**chosen, "learning_rate": min(max(rate, 0.0), 1.0)}

    def settings(self, chosen: dict[str, Any], *, out: str) -> FinetuneSettings:
        """Return the settings of a run."""
        return replace(self.base, out=out, **chosen)


def complete_space(base: FinetuneSettings, space: Space) -> Search:
    """Fill what the space leaves open from the recipe for this data and model.

    Args:
        base: the settings that all trials share.
        space: what is searched.

    Raises:
        UsageError, DataError, CheckpointError: the settings, the data or the model cannot be used; nothing was trained.
    """
    if base.few_shot or base.steps is not None:
        raise UsageError("a search varies epochs and learning rate; leave out --few-shot and --steps")
    frozen = space.freeze_encoder or (False, True)
    if base.exits or base.teacher is not None:
        frozen = space.freeze_encoder or (False,)
    _, model, splits, resolved = prepare(replace(base, freeze_encoder=frozen[0]))
    filled, positions = resolved.settings, model.config.max_position_embeddings
    if objective_of(resolved.task).reads != "sequences" and space.freeze_encoder is None:
        frozen = (False,)
    rate, epochs, length = filled.learning_rate or FROZEN.learning_rate, filled.epochs or 3, filled.max_length or 128
    rates = {}
    for each in (False, True):
        own = rate if each == frozen[0] else FROZEN.learning_rate
        rates[each] = space.learning_rate or (own / _WIDER, own * _WIDER)
    usual = ("pair", "mean") if splits.train.is_pair else ("mean", "pooler", "cls")
    pools = filled.pooling is not None and resolved.task.default_pooling is None
    pooling = (space.pooling or usual) if pools else ()
    halves = (length // 2, length, 2 * length)
    search = Search(
        base=replace(base, patience=base.patience or filled.patience),
        recipe={
            "learning_rate": rate,
            "epochs": epochs,
            "max_length": length,
            "freeze_encoder": frozen[0],
            **({"pooling": filled.pooling} if pools else {}),
        },
        rates=rates,
        epochs=space.epochs or (max(1, epochs // 3), 2 * epochs),
        pooling=pooling,
        max_length=space.max_length or tuple(each for each in halves if 8 <= each <= positions),
        freeze_encoder=frozen,
        metric=splits.train.metrics[0],
    )
    return replace(search, recipe=_within(search))


def _within(search: Search) -> dict[str, Any]:
    """Return the recipe's values, moved into the space where the user's bounds leave them out."""
    recipe = dict(search.recipe)
    recipe["epochs"] = min(max(recipe["epochs"], search.epochs[0]), search.epochs[1])
    for name in ("pooling", "max_length"):
        choices = getattr(search, name)
        if name in recipe and recipe[name] not in choices:
            recipe[name] = choices[0]
    return recipe
