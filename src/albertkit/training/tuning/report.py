"""TuneReport: the trials of a search, the best one, and the command that trains it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from albertkit.training.tuning.space import SEARCHED

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 15
"""Rows of the table; `tune.json` has all."""


@dataclass(frozen=True)
class TrialRecord:
    """One trial."""

    number: int
    settings: Mapping[str, Any]
    """Field -> value of what was searched."""
    value: float | None
    """Main metric on the validation split at its best epoch, 0-100; of a pruned trial at its last one."""
    state: str
    """complete, pruned, failed or running."""
    epochs: int | None = None
    """Trained until the end, or until it was pruned or stopped."""
    seconds: float | None = None


@dataclass(frozen=True)
class TuneReport:
    """What a search found."""

    best: Mapping[str, Any]
    """`settings`, `value`, `number`, `model` (its folder) and `scores` (on the scored split, which chose nothing)."""
    trials: Sequence[TrialRecord]
    metric: str
    split: str
    """That chose."""
    scored_split: str
    searched: Sequence[str]
    importance: Mapping[str, float] = field(default_factory=dict)
    """Field -> share of the differences that it explains; empty with few trials."""
    command: str = ""
    """That trains the best settings again."""
    plot: str | None = None
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**asdict(self), "trials": [asdict(trial) for trial in self.trials]}

    def render(self, console: Console) -> None:
        """Print the table, the best first, and the command."""
        from rich.table import Table

        names = [name for name in SEARCHED if name in self.searched]
        table = Table(box=None, pad_edge=False, title=f"{self.metric} on {self.split}", title_justify="left")
        for title in ("trial", self.metric, *(name.replace("_", " ") for name in names), "seconds", "state"):
            table.add_column(title, justify="left" if title in ("state", "pooling") else "right")
        ordered = ranked(self.trials)
        for trial in ordered[:SHOWN]:
            table.add_row(
                str(trial.number),
                "" if trial.value is None else f"{trial.value:.2f}",
                *(shown_value(name, trial.settings.get(name)) for name in names),
                "" if trial.seconds is None else f"{trial.seconds:.0f}",
                trial.state,
            )
        console.print(table)
        if len(ordered) > SHOWN:
            console.print(f"and {len(ordered) - SHOWN} more in tune.json")
        if self.importance:
            shares = ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in self.importance.items())
            complete = sum(trial.state == "complete" for trial in self.trials)
            console.print(f"what matters, by fANOVA over {complete} complete trials: {shares}", soft_wrap=True)
        scores = ", ".join(f"{name} {value:.2f}" for name, value in self.best["scores"].items() if value is not None)
        console.print(f"best: trial {self.best['number']}, {self.metric} {self.best['value']:.2f} on {self.split}")
        console.print(f"its model, {self.best['model']}, on {self.scored_split}: {scores}", soft_wrap=True)
        console.print(f"to train it again: {self.command}", soft_wrap=True, markup=False)


def ranked(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials, complete ones by value first."""
    return sorted(
        trials, key=lambda trial: (trial.state != "complete", trial.value is None, -(trial.value or 0), trial.number)
    )


def shown_value(name: str, value: Any) -> str:
    """Return a setting as the table and the plot show it.

    >>> shown_value("learning_rate", 0.00035), shown_value("freeze_encoder", True), shown_value("pooling", "cls")
    ('0.00035', 'frozen', 'cls')
    """
    if name == "freeze_encoder":
        return "frozen" if value else "trained"
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
