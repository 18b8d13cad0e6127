"""Mining of hard negatives, against `mine_hard_negatives` of sentence-transformers on the same vectors."""

from __future__ import annotations

import warnings
import zlib
from typing import Any

import numpy as np
import pytest
import torch
from tests.tiny import execution, tiny_folder

from albertkit.errors import UsageError
from albertkit.inference.mining import MiningSettings, Triplet, mine
from albertkit.inference.predictor import Predictor
from albertkit.models.pretrained import load_model

WORDS = "film plot actor scene story one two three very quite rather splendid dreadful charming boring".split()


class Vectors(Predictor):
    """Gives fixed vectors by text."""

    def __init__(self, width: int = 5) -> None:
        super().__init__(load_model(tiny_folder()), execution=execution())
        self.width = width

    def embed(self, texts: Any, **options: Any) -> Any:
        """Return a random vector per text, always the same; that of "about A" is near that of A."""
        del options
        rows = [self.random(text.removeprefix("about ")) + 0.4 * self.random(text) for text in texts]
        return np.array(rows, np.float32).reshape(-1, self.width)

    def random(self, text: str) -> Any:
        """Return a random vector."""
        return np.random.RandomState(zlib.crc32(text.encode())).randn(self.width)


def corpus_and_pairs() -> tuple[list[str], list[tuple[str, str]]]:
    corpus = [f"{one} {other}" for one in WORDS for other in WORDS if one != other]
    pairs = [(f"about {corpus[7 * number]}", corpus[7 * number]) for number in range(20)]
    return corpus, [*pairs, (pairs[3][0], corpus[150])]  # one anchor has two


@pytest.mark.parametrize(
    "options",
    [
        {"relative_margin": None},
        {"relative_margin": 0.05},
        {"relative_margin": None, "margin": 0.1},
        {"relative_margin": 0.2, "range_min": 3, "range_max": 20},
    ],
)
def test_the_triplets_are_those_of_sentence_transformers(options: dict[str, Any]) -> None:
    peers = pytest.importorskip("sentence_transformers")
    datasets = pytest.importorskip("datasets")
    corpus, pairs = corpus_and_pairs()
    settings = MiningSettings(**{"range_max": 30, **options})
    found = mine(Vectors(), pairs, corpus=corpus, settings=settings)

    class Peer(peers.SentenceTransformer):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__(modules=[torch.nn.Identity()], device="cpu")

        def encode(self, inputs: Any, **_: Any) -> Any:
            return Vectors().embed(inputs)

    table = datasets.Dataset.from_dict({"anchor": [a for a, _ in pairs], "positive": [p for _, p in pairs]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = peers.util.mine_hard_negatives(
            table, Peer(), corpus=corpus, num_negatives=settings.negatives, range_min=settings.range_min,
            range_max=settings.range_max, absolute_margin=settings.margin, relative_margin=settings.relative_margin,
            verbose=False,
        )  # fmt: skip
    rows = {(row["anchor"], row["positive"], row["negative"]) for row in expected}
    assert rows == {tuple(row) for row in found.triplets}
    assert len(found.triplets) == len(expected) > 20


def test_the_triplets_by_hand() -> None:
    corpus, pairs = corpus_and_pairs()
    found = mine(Vectors(), pairs, corpus=corpus, settings=MiningSettings(negatives=2, margin=0.2, range_max=300))
    expected = []
    texts = list(dict.fromkeys([*(pair for _, pair in pairs), *corpus]))
    for anchor in dict.fromkeys(anchor for anchor, _ in pairs):
        own = [pair for text, pair in pairs if text == anchor]
        vectors = Vectors().embed([anchor, *texts])
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines = dict(zip(texts, vectors[1:] @ vectors[0], strict=True))
        least = min(cosines[one] for one in own)
        limit = min(least - 0.2, least - 0.05 * abs(least))
        right = sorted(
            (text for text in texts if text not in own and cosines[text] <= limit), key=lambda t: -cosines[t]
        )
        expected += [(anchor, pair, negative) for pair in own for negative in right[:2]]
    assert [tuple(row) for row in found.triplets] == expected


def test_no_margin_excludes_a_known_positive() -> None:
    corpus, pairs = corpus_and_pairs()
    found = mine(Vectors(), pairs, corpus=[*corpus, pairs[0][0]], settings=MiningSettings(relative_margin=None))
    assert len(found.triplets) == 3 * len(pairs)
    assert (found.pairs, found.corpus, found.too_near, found.without) == (21, len(corpus) + 1, 0, 0)
    belongs = set(pairs)
    assert all((row.anchor, row.negative) not in belongs and row.anchor != row.negative for row in found.triplets)


def test_random_sampling_follows_the_seed() -> None:
    corpus, pairs = corpus_and_pairs()

    def sampled(seed: int) -> list[Triplet]:
        return list(
            mine(Vectors(), pairs, corpus=corpus, settings=MiningSettings(sampling="random", seed=seed)).triplets
        )

    assert sampled(1) == sampled(1)
    assert sampled(1) != sampled(2)


def test_what_a_margin_leaves_out_is_counted() -> None:
    _, pairs = corpus_and_pairs()
    found = mine(Vectors(), pairs[:2], settings=MiningSettings(margin=2.0))
    assert (found.triplets, found.too_near, found.without) == ([], 2, 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"negatives": 0}, "negatives is 0; it must be 1 or more"),
        ({"range_max": 2}, "from range-min 0 to range-max 2 there are fewer than 3 texts"),
        ({"margin": -0.1}, "margin is -0.1; it must be from 0 to 2"),
        ({"relative_margin": 3}, "relative-margin is 3"),
        ({"seed": -1}, "the seed is -1"),
    ],
)
def test_settings_that_cannot_be(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        MiningSettings(**options)


def test_nothing_to_mine_for() -> None:
    with pytest.raises(UsageError, match="there are no pairs"):
        mine(Vectors(), [])
