"""Entities in tagged words: equal to seqeval's counts, on random tags and on real ones."""

from __future__ import annotations

import random
import tarfile
import warnings
from pathlib import Path

import pytest
from seqeval.metrics import accuracy_score
from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support
from seqeval.metrics.v1 import precision_recall_fscore_support as strict_support
from seqeval.scheme import IOB2, IOBES, Entities
from sklearn.metrics import accuracy_score as sklearn_accuracy

from albertkit.data.entities import find_entities, marks_entities
from albertkit.data.examples import TokenExample
from albertkit.datasets import load_dataset
from albertkit.errors import DataError, UsageError
from albertkit.scoring.score import Score
from albertkit.tasks.token_classification.metrics import tag_scores

PEERS = {"IOB2": IOB2, "IOBES": IOBES}
Rows = list[list[str]]


def random_tags(marks: str, *, seed: int, texts: int = 40) -> Rows:
    """Tags in no order at all, so that every wrong sequence comes up."""
    draw = random.Random(seed)
    choices = ["O", *(f"{mark}-{type_}" for mark in marks for type_ in ("PER", "LOC", "A-B"))]
    return [[draw.choice(choices) for _ in range(draw.randint(0, 13))] for _ in range(texts)]


def peer_scores(true: Rows, predicted: Rows, scheme: str | None) -> Score:
    """What seqeval says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if scheme is None:
            micro = precision_recall_fscore_support(true, predicted, average="micro", zero_division=0)
            each = precision_recall_fscore_support(true, predicted, average=None, zero_division=0)
            types = sorted({type_ for rows in (true, predicted) for type_, _, _ in get_entities(rows)})
        else:
            peer = PEERS[scheme]
            micro = strict_support(true, predicted, average="micro", zero_division=0, scheme=peer)
            each = strict_support(true, predicted, average=None, zero_division=0, scheme=peer)
            types = sorted(set().union(*(Entities(rows, peer).unique_tags for rows in (true, predicted))))
        accuracy = accuracy_score(true, predicted)
    metrics = {name: 100 * float(value) for name, value in zip(("precision", "recall", "f1"), micro, strict=False)}
    parts = {
        type_: {"examples": int(n), "precision": 100 * float(p), "recall": 100 * float(r), "f1": 100 * float(f)}
        for type_, p, r, f, n in zip(types, *each, strict=True)
    }
    return Score({**metrics, "accuracy": 100 * float(accuracy)}, parts=parts)


def assert_equal(found: Score, peer: Score) -> None:
    assert found.metrics == pytest.approx(peer.metrics, abs=1e-9)
    assert list(found.parts) == list(peer.parts)
    for type_, values in peer.parts.items():
        assert found.parts[type_] == pytest.approx(values, abs=1e-9)


@pytest.mark.parametrize(("marks", "scheme"), [("BI", None), ("BIES", None), ("BI", "IOB2"), ("BIES", "IOBES")])
@pytest.mark.parametrize("seed", range(7))
def test_random_tags_as_seqeval(marks: str, scheme: str | None, seed: int) -> None:
    true, guess = random_tags(marks, seed=seed), random_tags(marks, seed=100 + seed)
    draw = random.Random(seed)
    predicted = [
        [tag if draw.random() < 0.7 else (other + row)[at % len(other + row)] for at, tag in enumerate(row)]
        for row, other in zip(true, guess, strict=True)
    ]
    assert_equal(tag_scores(true, tags_predicted=predicted, scheme=scheme), peer_scores(true, predicted, scheme))


def test_the_two_ways_differ_where_seqeval_says_so() -> None:
    true, predicted = [["B-NP", "I-NP", "O"]], [["I-NP", "I-NP", "O"]]  # the example of seqeval's own page
    assert tag_scores(true, tags_predicted=predicted).metrics["f1"] == 100.0
    assert tag_scores(true, tags_predicted=predicted, scheme="IOB2").metrics["f1"] == 0.0


def test_nothing_to_find_is_said() -> None:
    found = tag_scores([["O", "O"]], tags_predicted=[["O", "B-PER"]])
    assert found.metrics == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "accuracy": 50.0}
    assert found.notes == ("recall is undefined and given as 0: there is no true entity",)
    found = tag_scores([["B-PER"]], tags_predicted=[["O"]])
    assert found.notes == ("precision is undefined and given as 0: there is no predicted entity",)


def test_parts_of_speech_are_words_alone() -> None:
    found = tag_scores([["NN", "VB"]], tags_predicted=[["NN", "NN"]])
    assert (found.metrics, found.parts) == ({"accuracy": 50.0}, {})
    assert "accuracy is per word, and there are no entities" in found.notes[0]
    assert marks_entities(["O", "B"])
    assert not marks_entities(["NN", "VB"])


def test_refusals() -> None:
    with pytest.raises(DataError, match="text 1: 1 predicted tags for 2 words"):
        tag_scores([["O"], ["O", "O"]], tags_predicted=[["O"], ["O"]])
    with pytest.raises(DataError, match="1 predicted texts against 2"):
        tag_scores([["O"], ["O"]], tags_predicted=[["O"]])
    with pytest.raises(DataError, match='text 0, word 1: "X-PER" is not a tag of IOB or IOBES'):
        tag_scores([["O", "O"]], tags_predicted=[["O", "X-PER"]])
    with pytest.raises(DataError, match='word 0: "S-PER" is not a tag of IOB2'):
        find_entities(["S-PER"], scheme="IOB2")
    with pytest.raises(UsageError, match='unknown scheme "BIO"; known: IOB2, IOBES'):
        tag_scores([["O"]], tags_predicted=[["O"]], scheme="BIO")
    with pytest.raises(UsageError, match='unknown scheme "BIO"'):
        find_entities(["O"], scheme="BIO")
    with pytest.raises(DataError, match="0 words"):
        tag_scores([[]], tags_predicted=[[]])


@pytest.mark.slow
def test_real_sentences_as_seqeval(shared: Path, tmp_path: Path) -> None:
    with tarfile.open(shared / "data" / "topics_ner_more.tar.xz") as archive:
        archive.extractall(tmp_path, members=[m for m in archive if "ner_conllpp/" in m.name], filter="data")
    data = load_dataset("ner", split="test", data_dir=next(tmp_path.rglob("conllpp_test.txt")).parent)
    examples: list[TokenExample] = data.examples
    true = [[data.labels[tag] for tag in example.tags or ()] for example in examples]
    draw = random.Random(5)
    predicted = [[tag if draw.random() < 0.9 else draw.choice(data.labels) for tag in row] for row in true]
    for scheme in (None, "IOB2"):
        assert_equal(tag_scores(true, tags_predicted=predicted, scheme=scheme), peer_scores(true, predicted, scheme))


@pytest.mark.parametrize("seed", range(3))
def test_plain_tags_as_scikit_learn(seed: int) -> None:
    draw = random.Random(seed)
    kinds = ("NOUN", "VERB", "DET", "B", "O")
    true = [draw.choices(kinds, k=draw.randint(1, 13)) for _ in range(41)]
    predicted = [[tag if draw.random() < 0.7 else draw.choice(kinds) for tag in row] for row in true]
    found = tag_scores(true, tags_predicted=predicted, labels=("X", *kinds))
    accuracy = sklearn_accuracy([tag for row in true for tag in row], [tag for row in predicted for tag in row])
    assert found.metrics == {"accuracy": pytest.approx(100 * accuracy, abs=1e-9)}


@pytest.mark.parametrize("seed", range(3))
def test_io_tags_as_seqeval_with_i_before_them(seed: int) -> None:
    draw = random.Random(seed)
    kinds = ("O", "PER", "LOC", "E-MAIL")
    true = [draw.choices(kinds, k=draw.randint(1, 13)) for _ in range(41)]
    predicted = [[tag if draw.random() < 0.7 else draw.choice(kinds) for tag in row] for row in true]
    inside = [[[tag if tag == "O" else f"I-{tag}" for tag in row] for row in rows] for rows in (true, predicted)]
    assert_equal(tag_scores(true, tags_predicted=predicted, labels=kinds), peer_scores(*inside, None))


def test_the_labels_say_what_the_tags_are() -> None:
    # A split of which no word is outside: its tags are still entities.
    found = tag_scores([["PER", "PER"]], tags_predicted=[["PER", "O"]], labels=("O", "LOC", "PER"))
    assert found.metrics == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "accuracy": 50.0}
    assert "adjacent words with the same tag count as one entity" in found.notes[0]
    found = tag_scores([["3", "0"]], tags_predicted=[["3", "3"]])
    assert found.notes[0].endswith("write the tag names (O, B-PER, I-PER) into the data")
