"""Mine hard negatives: texts of a corpus whose vectors are near a text's, and that do not belong to it.

    pairs -> anchors, their positives -> nearest texts of the corpus -> margin -> triplets

The nearest texts of a corpus hold right answers that no pair names (false negatives). A margin leaves out what is about
as near as the positive is (as `mine_hard_negatives` of sentence-transformers; Moreira et al., 2024).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from albertkit.errors import UsageError
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import FloatArray
from albertkit.io.nearest import Best
from albertkit.io.progress import Progress, Silent, counted
from albertkit.io.vectors import unit

Sampling = Literal["top", "random"]
_PIECE = 4096  # texts of the corpus whose vectors are compared at a time


@dataclass(frozen=True)
class MiningSettings:
    """Which of the nearest texts become negatives.

    Raises:
        UsageError: a value cannot be.
    """

    negatives: int = 3
    """Of each pair, at most."""
    margin: float | None = None
    """A negative's cosine is at most that of the positive minus this."""
    relative_margin: float | None = 0.05
    """A negative's cosine is at most that of the positive minus this share of it."""
    range_min: int = 0
    """The nearest texts to leave out, of those that the margins leave."""
    range_max: int = 50
    """The nearest texts to choose from."""
    sampling: Sampling = "top"
    """`top`: the nearest; `random`: any, by seed."""
    seed: int = 12345

    def __post_init__(self) -> None:
        if self.negatives < 1:
            raise UsageError(f"negatives is {self.negatives}; it must be 1 or more")
        if not 0 <= self.range_min <= self.range_max - self.negatives:
            raise UsageError(
                f"from range-min {self.range_min} to range-max {self.range_max} there are fewer than "
                f"{self.negatives} texts; raise range-max"
            )
        for name, value in (("margin", self.margin), ("relative-margin", self.relative_margin)):
            if value is not None and not 0 <= value <= 2:
                raise UsageError(f"{name} is {value}; it must be from 0 to 2, such as 0.05")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"the seed is {self.seed}; it must be a whole number from 0 to {2**32 - 1}")


class Triplet(NamedTuple):
    """A text, one that belongs to it and one that does not."""

    anchor: str
    positive: str
    negative: str


@dataclass(frozen=True)
class Mined:
    """What mining gave."""

    triplets: Sequence[Triplet]
    """In the order of the pairs, the nearest negative first."""
    pairs: int
    """Different pairs."""
    corpus: int
    """Different texts to choose from."""
    too_near: int
    """Candidates that a margin left out."""
    without: int
    """Pairs for which no negative is left."""


def mine(
    predictor: Predictor,
    pairs: Sequence[tuple[str, str]],
    *,
    corpus: Sequence[str] = (),
    settings: MiningSettings | None = None,
    progress: Progress | None = None,
) -> Mined:
    """Return triplets for pairs that belong together.

    A text that any pair names as the anchor's positive, and the anchor itself, are no negatives. An anchor with several
    positives is compared with the farthest of them, to be on the safe side.

    Args:
        predictor: whose vectors are compared.
        pairs: a text and one that belongs to it.
        corpus: texts to choose negatives from, besides the positives of all pairs.
        settings: which texts are taken.
        progress: gets the progress reports.

    Raises:
        UsageError: there are no pairs.
    """
    settings, progress = settings or MiningSettings(), progress or Silent()
    if not pairs:
        raise UsageError("there are no pairs that belong together, so there is nothing to mine for")
    positives: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for anchor, positive in pairs:
        positives[anchor][positive] = None
    rows = {text: row for row, text in enumerate(dict.fromkeys([*(pair for _, pair in pairs), *corpus]))}
    texts, anchors = list(rows), list(positives)
    known = [np.array([rows[one] for one in (*positives[anchor], anchor) if one in rows]) for anchor in anchors]
    with progress.bar("embedding", total=len(anchors) + len(texts)) as advance:
        questions = unit(predictor.embed(anchors, progress=counted(advance)))
        best = Best(questions, top=settings.range_max + max(map(len, known)))
        own = np.zeros((len(texts), questions.shape[1]), np.float32)
        for start in range(0, len(texts), _PIECE):
            piece = slice(start, start + _PIECE)
            own[piece] = unit(predictor.embed(texts[piece], progress=counted(advance)))
            best.add(own[piece])
    random = np.random.RandomState(settings.seed)
    triplets: list[Triplet] = []
    too_near = without = 0
    for number, anchor in enumerate(anchors):
        least = float(np.min(own[[rows[one] for one in positives[anchor]]] @ questions[number]))
        others = ~np.isin(best.rows[number], known[number])
        candidates, cosines = best.rows[number][others], best.cosines[number][others]
        right = _within(cosines, least, settings)
        too_near += int((~right).sum())
        chosen = candidates[right][: settings.range_max][settings.range_min :]
        if settings.sampling == "random":
            chosen = chosen[np.sort(random.permutation(len(chosen))[: settings.negatives])]
        negatives = [texts[row] for row in chosen[: settings.negatives]]
        without += len(positives[anchor]) * (not negatives)
        triplets += [Triplet(anchor, positive, one) for positive in positives[anchor] for one in negatives]
    return Mined(triplets, sum(map(len, positives.values())), len(texts), too_near, without)


def _within(cosines: FloatArray, positive: float, settings: MiningSettings) -> npt.NDArray[np.bool_]:
    """Return which candidates are far enough below the positive's cosine."""
    highest = np.inf
    if settings.margin is not None:
        highest = positive - settings.margin
    if settings.relative_margin is not None:
        highest = min(highest, positive - abs(positive) * settings.relative_margin)
    return cosines <= highest
