"""Google's way to make instances: against the original's recorded output, by hand, and by counting."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albertkit.data.pretraining.google_instances import Document, GoogleMasking, Instance, google_instances
from albertkit.errors import DataError, UsageError
from albertkit.text.tokenizer import Tokenizer

GOLDEN = json.loads((Path(__file__).resolve().parents[2] / "golden" / "google_instances.json").read_text())
CLS, SEP, MASK = 2, 3, 4
EVERY_PIECE_A_WORD = GoogleMasking(np.ones(5000, np.bool_), mask_id=MASK)


def official_word_starts() -> np.ndarray[Any, Any]:
    """Enough of the rule for the ids below 3000 that the golden documents hold."""
    inside = set('abcdefghijklmnopqrstuvwxyz!"#$%&()*+,-./:;?@[\\]^_`{|}~\u20ac\u00a3')
    alone = inside - set("abcdefghijklmnopqrstuvwxyz")
    return np.array(
        [
            piece[0] in "\u2581<" or piece in alone or any(letter.lower() not in inside for letter in piece)
            for piece in Tokenizer.official().vocabulary.pieces
        ]
    )


def make(documents: list[list[np.ndarray[Any, Any]]], masking: GoogleMasking, **options: Any) -> list[Instance]:
    return list(google_instances(documents, masking=masking, cls_id=CLS, sep_id=SEP, **options))


def random_documents(seed: int, *, number: int, sentences: tuple[int, int], tokens: tuple[int, int]) -> list[Document]:
    random = np.random.RandomState(seed)
    return [
        [random.randint(5, 3000, size=random.randint(*tokens)) for _ in range(random.randint(*sentences))]
        for _ in range(number)
    ]


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['max_length']} tokens")
def test_the_originals_instances_to_the_last_id(case: dict[str, Any]) -> None:
    documents = random_documents(
        case["documents_seed"],
        number=case["num_documents"],
        sentences=(1, case["most_sentences"]),
        tokens=(1, case["most_tokens"]),
    )
    masking = GoogleMasking(
        official_word_starts(),
        mask_id=MASK,
        **{name: case[name] for name in ("max_predictions", "max_ngram", "favor_shorter")},
    )
    options = {name: case[name] for name in ("seed", "max_length", "short_seq_prob", "dupe_factor")}
    rows = [
        [
            *[array.tolist() for array in (one.input_ids, one.token_type_ids, one.masked_positions, one.masked_ids)],
            int(one.swapped),
        ]
        for one in make(documents, masking, **options)
    ]
    assert len(rows) == case["instances"]
    assert rows[0] == case.get("first", rows[0])
    assert hashlib.sha256(json.dumps(rows).encode()).hexdigest() == case["sha256"]


def originals(instance: Instance) -> list[int]:
    """The tokens before masking."""
    ids = instance.input_ids.copy()
    ids[instance.masked_positions] = instance.masked_ids
    found: list[int] = ids.tolist()
    return found


def test_two_sentences_in_both_orders() -> None:
    document = [np.array([20, 21, 22]), np.array([30, 31])]
    seen = {}
    for seed in range(40):
        [instance] = make([document], EVERY_PIECE_A_WORD, seed=seed, short_seq_prob=0)
        seen[instance.swapped] = (originals(instance), instance.token_type_ids.tolist())
        assert len(instance.masked_ids) == 1  # round(0.15 * 8)
    assert seen[False] == ([CLS, 20, 21, 22, SEP, 30, 31, SEP], [0, 0, 0, 0, 0, 1, 1, 1])
    assert seen[True] == ([CLS, 30, 31, SEP, 20, 21, 22, SEP], [0, 0, 0, 0, 1, 1, 1, 1])


def test_a_sentence_alone_gets_another_documents_and_counts_as_swapped() -> None:
    documents = [[np.array([20, 21])], [np.array([40]), np.array([41])]]
    for seed in range(20):
        instances = make(documents, EVERY_PIECE_A_WORD, seed=seed, short_seq_prob=0)
        [alone] = [one for one in instances if 20 in originals(one)[:3]]
        assert alone.swapped
        # 507 tokens are wanted: the other document from a random sentence to its end.
        assert originals(alone) in ([CLS, 20, 21, SEP, 40, 41, SEP], [CLS, 20, 21, SEP, 41, SEP])


def test_a_document_alone_gets_itself() -> None:
    [instance] = make([[np.array([20, 21])]], EVERY_PIECE_A_WORD, short_seq_prob=0)
    assert (originals(instance), instance.swapped) == ([CLS, 20, 21, SEP, 20, 21, SEP], True)


def test_the_longer_segment_is_cut_at_both_ends_one_token_a_time() -> None:
    document = [np.arange(100, 140), np.arange(200, 204)]
    fronts = Counter()
    for seed in range(300):
        for one in make([document], EVERY_PIECE_A_WORD, seed=seed, max_length=23, short_seq_prob=0):
            segment = [token for token in originals(one)[1:] if 100 <= token < 140]
            if len(segment) == 16:  # the first sentence is a chunk of its own only where the target is shorter
                fronts[segment[0] - 100] += 1
                assert segment == list(range(segment[0], segment[0] + 16))
            assert len(one.input_ids) <= 23
    # The first sentence fills its chunk: it is paired with itself or the second one.
    assert sum(fronts.values()) > 50
    assert np.mean(list(fronts.elements())) == pytest.approx(12, abs=0.5)  # half of the 24 tokens that go


def test_a_word_is_masked_whole_even_across_the_separator() -> None:
    starts = np.ones(5000, np.bool_)
    starts[1000:2000] = False
    document = [np.array([20, 1000, 1001, 21, 1002]), np.array([1003, 23, 24, 25])]
    # In order, the second segment continues with the first one's last word; swapped, 1003 is a word of its own.
    words = {
        False: [(20, 1000, 1001), (21, 1002, 1003), (23,), (24,), (25,)],
        True: [(1003,), (23,), (24,), (25,), (20, 1000, 1001), (21, 1002)],
    }
    masking = GoogleMasking(starts, mask_id=MASK, masked_lm_prob=0.4)
    across = 0
    for seed in range(200):
        [one] = make([document], masking, seed=seed, short_seq_prob=0)
        masked = set(one.masked_ids.tolist())
        assert len(masked) == len(one.masked_ids) <= 5  # round(0.4 * 12)
        for word in words[one.swapped]:
            assert masked.isdisjoint(word) or masked.issuperset(word), (word, masked)
        across += not one.swapped and masked.issuperset((21, 1002, 1003))
    assert across > 20


def test_the_shares_by_counting() -> None:
    documents = random_documents(3, number=120, sentences=(20, 60), tokens=(20, 40))
    instances = make(documents, EVERY_PIECE_A_WORD, short_seq_prob=0.1)
    tokens = sum(len(one.input_ids) for one in instances)
    assert tokens > 100_000
    full = [one for one in instances if len(one.input_ids) >= 480]
    assert len(full) > 100
    masked = sum(len(one.masked_ids) for one in full) / sum(len(one.input_ids) for one in full)
    assert masked == pytest.approx(20 / 512, abs=0.001)
    assert all(len(one.masked_ids) == 20 for one in full)
    assert all((np.diff(one.masked_positions) > 0).all() for one in instances)
    assert all(not np.isin(one.masked_ids, (CLS, SEP)).any() for one in instances)
    fates = Counter(
        "mask" if now == MASK else "kept" if now == before else "random"
        for one in instances
        for now, before in zip(one.input_ids[one.masked_positions], one.masked_ids, strict=True)
    )
    for fate, share in {"mask": 0.8, "kept": 0.1, "random": 0.1}.items():
        assert fates[fate] / fates.total() == pytest.approx(share, abs=0.015), fate


def test_ngrams_of_three_words_at_most_the_short_ones_more_often() -> None:
    documents = random_documents(4, number=150, sentences=(20, 60), tokens=(20, 40))
    masking = GoogleMasking(np.ones(5000, np.bool_), mask_id=MASK, max_predictions=6)
    runs: Counter[int] = Counter()
    for one in make(documents, masking, short_seq_prob=0):
        if len(one.input_ids) > 400:  # of 6 in 400 hardly two are neighbours
            runs.update(
                len(run)
                for run in np.split(one.masked_positions, np.flatnonzero(np.diff(one.masked_positions) > 1) + 1)
            )
    shares = [runs[size] / runs.total() for size in (1, 2, 3)]
    assert shares == pytest.approx(exact_shares(quota=6), abs=0.03)


def exact_shares(*, quota: int) -> list[float]:
    """Shares of n-grams of 1, 2 and 3 words when draws of 6 : 3 : 2 fill a quota and the last one is cut."""
    counts = np.zeros(3)

    def walk(filled: int, weight: float) -> None:
        if filled == quota:
            return
        for size, share in zip((1, 2, 3), (6 / 11, 3 / 11, 2 / 11), strict=True):
            fitting = min(size, quota - filled)
            counts[fitting - 1] += weight * share
            walk(filled + fitting, weight * share)

    walk(0, 1.0)
    return (counts / counts.sum()).tolist()


def test_the_share_that_topic_gives_away() -> None:
    """Documents of one to five sentences: one in five is a single sentence; every document of more is one chunk."""
    documents = [[np.full(4, 100 + number) for _ in range(1 + number % 5)] for number in range(2000)]
    instances = make(documents, EVERY_PIECE_A_WORD, short_seq_prob=0)
    assert len(instances) == 2000
    leaks = [one for one in instances if len(set(originals(one))) == 4]  # ids of two documents, [CLS] and [SEP]
    assert len(leaks) == 400
    assert all(one.swapped for one in leaks)
    assert np.mean([one.swapped for one in instances]) == pytest.approx(0.2 + 0.8 * 0.5, abs=0.03)


def test_each_pass_has_other_masks_and_the_seed_repeats_all() -> None:
    documents = random_documents(5, number=6, sentences=(3, 9), tokens=(3, 9))
    twice = make(documents, EVERY_PIECE_A_WORD, dupe_factor=2, short_seq_prob=0)
    again = make(documents, EVERY_PIECE_A_WORD, dupe_factor=2, short_seq_prob=0)
    assert [one.input_ids.tolist() for one in twice] == [one.input_ids.tolist() for one in again]
    assert len(twice) == 12
    assert [one.masked_positions.tolist() for one in twice[:6]] != [one.masked_positions.tolist() for one in twice[6:]]


def test_what_cannot_be() -> None:
    fine = [[np.array([20, 21])]]
    with pytest.raises(UsageError, match="a length of 4 tokens has no room for two segments; give 5 or more"):
        make(fine, EVERY_PIECE_A_WORD, max_length=4)
    with pytest.raises(UsageError, match="max_predictions 0"):
        make(fine, GoogleMasking(np.ones(9, np.bool_), mask_id=MASK, max_predictions=0))
    with pytest.raises(DataError, match=r"document 0 \(counted from 0\) is empty; leave it out"):
        make([[]], EVERY_PIECE_A_WORD)
    with pytest.raises(DataError, match=r"document 0, sentence 1, \(counted from 0\) is empty"):
        make([[np.array([20]), np.array([], np.int64)]], EVERY_PIECE_A_WORD)
    assert make([], EVERY_PIECE_A_WORD) == []
