"""Score the vectors of a model as a search engine: every query of a collection against all of its documents."""

from __future__ import annotations

import time

from albertkit.datasets.beir import Collection
from albertkit.evaluation.report import Report
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import Progress
from albertkit.io.counts import counted_noun
from albertkit.io.nearest import Best
from albertkit.scoring.retrieval import DEPTH, retrieval_scores

_PIECE = 2048  # documents whose vectors are in memory at a time


def evaluate_retrieval(
    predictor: Predictor, collection: Collection, *, dimensions: int | None = None, progress: Progress | None = None
) -> Report:
    """Rank the documents by the cosine of their vectors with the query's, and score the rankings.

    A document with the id of the query is left out, as in BEIR: in some collections each query is a document, too.

    Args:
        predictor: whose vectors rank.
        collection: documents, queries and what is relevant.
        dimensions: size that the vectors are cut to.
        progress: called with the number of texts just finished.

    Raises:
        UsageError: dimensions that the model was not trained for.
    """
    started = time.perf_counter()
    keys, texts = list(collection.corpus), list(collection.corpus.values())
    queries = list(collection.queries)
    vectors = predictor.embed(list(collection.queries.values()), dimensions=dimensions, progress=progress)
    best = Best(vectors, top=DEPTH + 1)
    for start in range(0, len(texts), _PIECE):
        best.add(predictor.embed(texts[start : start + _PIECE], dimensions=dimensions, progress=progress))
    found = {
        query: [keys[row] for row in rows if keys[row] != query] for query, rows in zip(queries, best.rows, strict=True)
    }
    scored = retrieval_scores(found, collection.relevant)
    cut = predictor.truncation
    return Report(
        task="retrieval",
        data=collection.name,
        model=predictor.model.source,
        metrics=scored.metrics,
        split=collection.split,
        examples=len(queries),
        notes=(
            f"{counted_noun(len(queries), 'query', 'queries')}, {counted_noun(len(texts), 'document')}, vectors of "
            f"{vectors.shape[1]} dimensions",
            *((cut.sentence,) if cut.truncated else ()),
        ),
        seconds=time.perf_counter() - started,
    )
