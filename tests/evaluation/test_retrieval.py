"""Scores of search: the rankings are those of the model's cosines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.datasets.test_beir import write_collection
from tests.serving.asking import predictor_of
from tests.tiny import BAD, FILLER, GOOD

from albertkit.datasets.beir import open_collection
from albertkit.errors import UsageError
from albertkit.evaluation.retrieval import evaluate_retrieval
from albertkit.io.vectors import unit
from albertkit.scoring.retrieval import retrieval_scores

WORDS = [*GOOD, *BAD, *FILLER]


def test_documents_are_ranked_by_their_cosines(tmp_path: Path) -> None:
    corpus = [{"_id": f"d{row}", "text": f"the {word} film"} for row, word in enumerate(WORDS)]
    queries = [{"_id": f"d{row}", "text": f"a {word}"} for row, word in enumerate(GOOD)]  # the ids are documents', too
    qrels = [(f"d{row}", f"d{row + step}", 1 + step % 2) for row in range(len(GOOD)) for step in range(4)]
    collection = open_collection(write_collection(tmp_path, corpus=corpus, queries=queries, qrels=qrels))
    predictor = predictor_of("similarity")
    report = evaluate_retrieval(predictor, collection)
    documents = unit(predictor.embed([row["text"] for row in corpus]))
    asked = unit(predictor.embed([row["text"] for row in queries]))
    found = {
        f"d{row}": [f"d{each}" for each in (-cosines).argsort(kind="stable") if each != row]
        for row, cosines in enumerate(asked @ documents.T)
    }
    assert report.metrics == retrieval_scores(found, collection.relevant).metrics
    assert (report.task, report.split, report.examples) == ("retrieval", "test", len(GOOD))
    cut = evaluate_retrieval(predictor, collection, dimensions=5)
    assert cut.notes[0] == f"{len(GOOD)} queries, {len(WORDS)} documents, vectors of 5 dimensions"
    one = evaluate_retrieval(predictor, replace(collection, queries=dict([next(iter(collection.queries.items()))])))
    assert one.notes[0].startswith("1 query, ")
    with pytest.raises(UsageError, match="was not trained to give vectors of 4"):
        evaluate_retrieval(predictor, collection, dimensions=4)
