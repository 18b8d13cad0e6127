"""Precision, recall and F1 of entities in tagged words, as seqeval and CoNLL's conlleval count them.

An entity is right when its type, first and last word are. Two ways to read tags:

    loose    seqeval's default, conlleval's: every word that is not O is in an entity. I- or E- continues the
             entity of the word before it where that has the same type and does not end there; else a new one starts.
    strict   seqeval's mode="strict" with a scheme: IOB2 entities are B I*, IOBES entities B I* E or S; tags that do not
             make one are ignored.

Tags without prefixes, except O (IO), are read in the loose way: a run of words with one tag is an entity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from albertkit.data.entities import SCHEMES, find_entities, tag_scheme
from albertkit.errors import DataError, UsageError
from albertkit.scoring.intervals import f1_interval, share_interval
from albertkit.scoring.score import Score


def tag_scores(
    tags_true: Sequence[Sequence[str]],
    *,
    tags_predicted: Sequence[Sequence[str]],
    scheme: str | None = None,
    labels: Sequence[str] | None = None,
) -> Score:
    """Score the tags of texts.

    >>> score = tag_scores([["B-PER", "I-PER", "O"]], tags_predicted=[["B-PER", "O", "O"]])
    >>> round(score.metrics["f1"], 1), round(score.metrics["accuracy"], 1)
    (0.0, 66.7)

    Args:
        tags_true: a tag for each word of each text.
        tags_predicted: the same for the predictions.
        scheme: "IOB2" or "IOBES" for the strict way; the loose way if None.
        labels: all tags of the data, which say whether they mark entities (`marks_entities`); the true ones if None.

    Returns:
        `precision`, `recall`, `f1` of entities over all types, and `accuracy` of words; accuracy only where the tags
        are of another kind (parts of speech). Its parts are the entity types in alphabetical order, `examples` being
        true entities.

    Raises:
        UsageError: an unknown scheme.
        DataError: no words; numbers of texts or words that differ; or a tag that the scheme does not have.
    """
    if scheme is not None and scheme not in SCHEMES:
        raise UsageError(f'unknown scheme "{scheme}"; known: {", ".join(SCHEMES)}')
    if len(tags_true) != len(tags_predicted):
        raise DataError(f"{len(tags_predicted)} predicted texts against {len(tags_true)}: the numbers must agree")
    words = right = 0
    wanted, given, shared = Counter[str](), Counter[str](), Counter[str]()
    kind = tag_scheme({tag for tags in tags_true for tag in tags} if labels is None else labels)
    reading = "IO" if scheme is None and kind == "IO" else scheme
    for row, (true, predicted) in enumerate(zip(tags_true, tags_predicted, strict=True)):
        if len(true) != len(predicted):
            raise DataError(
                f"text {row}: {len(predicted)} predicted tags for {len(true)} words; each word needs one tag"
            )
        words += len(true)
        right += sum(one == other for one, other in zip(true, predicted, strict=True))
        if kind == "plain" and scheme is None:
            continue
        try:
            true_set, predicted_set = (set(find_entities(tags, scheme=reading)) for tags in (true, predicted))
        except DataError as error:
            raise DataError(f"text {row}, {error}") from None
        wanted.update(entity.type for entity in true_set)
        given.update(entity.type for entity in predicted_set)
        shared.update(entity.type for entity in true_set & predicted_set)
    if not words:
        raise DataError("there is nothing to score: the split holds 0 words")
    accuracy = 100 * right / words
    intervals = {"accuracy": share_interval(accuracy, words)}
    if kind == "plain" and scheme is None:
        note = (
            "the tags have no B- or I- prefixes, so they count as classes: accuracy is per word, and there are no "
            "entities"
        )
        if all(tag.isdecimal() for tags in tags_true for tag in tags):
            note += "; if the numbers encode entity tags, write the tag names (O, B-PER, I-PER) into the data"
        return Score({"accuracy": accuracy}, (note,), intervals)
    notes = []
    if reading == "IO":
        notes.append(
            "the tags have no B- or I- prefixes besides O, so adjacent words with the same tag count as one entity"
        )
    for what, counted, name in (("true", wanted, "recall"), ("predicted", given, "precision")):
        if not counted.total():
            notes.append(f"{name} is undefined and given as 0: there is no {what} entity")
    parts = {
        type_: {"examples": wanted[type_], **_rates(wanted[type_], given[type_], shared[type_])}
        for type_ in sorted(wanted | given)
    }
    rates = _rates(wanted.total(), given.total(), shared.total())
    intervals |= {
        "precision": share_interval(rates["precision"], given.total()),
        "recall": share_interval(rates["recall"], wanted.total()),
        "f1": f1_interval(shared.total(), given=given.total(), wanted=wanted.total()),
    }
    return Score({**rates, "accuracy": accuracy}, tuple(notes), intervals, parts)


def _rates(wanted: int, given: int, shared: int) -> dict[str, float]:
    """Precision, recall and F1 on 0-100; 0 where there is nothing to divide by, as seqeval's zero_division=0."""
    return {
        "precision": 100 * shared / given if given else 0.0,
        "recall": 100 * shared / wanted if wanted else 0.0,
        "f1": 200 * shared / (wanted + given) if wanted + given else 0.0,
    }
