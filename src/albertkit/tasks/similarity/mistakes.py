"""The pairs whose cosines are most wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from albertkit.data.examples import TextExample
from albertkit.scoring.mistakes import Mistake, worst
from albertkit.tasks.prediction_rows import keys_of
from albertkit.tasks.similarity.metrics import only_positives
from albertkit.tasks.task import Predictions

LEAST = 0.25
"""Share of all places by which a pair must be misplaced to count as wrong."""


def pair_mistakes(examples: Sequence[TextExample], predictions: Predictions) -> tuple[Mistake, ...]:
    """Return pairs by how far their place among all, by cosine, is from their place by number.

    Args:
        examples: pairs with numbers; all the same number where pairs just belong together.
        predictions: `similarity` of each, and `rank` where pairs just belong together.
    """
    keys, count = keys_of(examples), len(examples)
    cosines = [row["similarity"] for row in predictions]
    if only_positives(examples):
        return worst(
            (row["rank"], Mistake(key, one.text, "nearest of all", f"place {row['rank']:,}", one.pair))
            for key, one, row in zip(keys, examples, predictions, strict=True)
            if row["rank"] > 1
        )
    wanted = rankdata([float(np.array(one.label)) for one in examples])
    given = rankdata(cosines)
    return worst(
        (
            abs(given[row] - wanted[row]),
            Mistake(
                keys[row],
                one.text,
                f"{one.label:.4g} (above {(wanted[row] - 1) / count:.0%} of the pairs)",
                f"cosine {cosines[row]:.3f} (above {(given[row] - 1) / count:.0%})",
                one.pair,
            ),
        )
        for row, one in enumerate(examples)
        if abs(given[row] - wanted[row]) >= LEAST * count
    )
