"""The options by which texts leave the network early, and what they do to a predictor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def exit_options(function: Decorated) -> Decorated:
    """Add --exit-patience, --entropy and --tolerance; the command gets them as `patience`, `entropy`, `tolerance`."""
    for option in (
        click.option(
            "--tolerance",
            type=float,
            show_default="none",
            help="Regression with --exit-patience: largest difference at which layers agree.",
        ),
        click.option(
            "--entropy",
            type=float,
            show_default="none",
            help="Early exit when the entropy of the probabilities is below this (nats).",
        ),
        click.option(
            "--exit-patience",
            "--patience",  # its name before; in `finetune` that option counts epochs
            "patience",
            type=int,
            help="Early exit when this many layers in a row agree (for models trained with --exits).",
            show_default="none",
        ),
    ):
        function = option(function)
    return function


def leaving_early(
    predictor: Any, *, patience: int | None, entropy: float | None, tolerance: float | None
) -> tuple[Any, Any]:
    """Return the `Predictor` and its `ExitRule`; the very same and None where no option was given.

    Raises:
        UsageError: options that cannot be, or a model that cannot follow them.
    """
    if patience is None and entropy is None and tolerance is None:
        return predictor, None
    from albertkit.tasks.exit_rules import ExitRule

    rule = ExitRule(patience=patience, entropy=entropy, tolerance=tolerance)
    return predictor.early_exit(rule), rule


def layers_passed(predictor: Any) -> tuple[float, int]:
    """Return how many layers a text has passed on average, and how many there are.

    Args:
        predictor: what `leaving_early` gave with a rule, after its work.
    """
    return predictor.runtime.mean_layers, len(predictor.runtime.layers)
