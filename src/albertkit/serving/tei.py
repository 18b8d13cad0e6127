"""The form of text-embeddings-inference (TEI), which Hugging Face's, LangChain's and LlamaIndex's clients speak."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from albertkit import __version__
from albertkit.serving.capabilities import Capabilities
from albertkit.serving.endpoints import Dialect, Endpoint, Told
from albertkit.serving.inputs import unit_vectors
from albertkit.serving.limits import Limits
from albertkit.serving.refusals import Refusal
from albertkit.serving.tei_messages import (
    EmbedBody,
    PredictBody,
    Rank,
    Refused,
    RerankBody,
    Scored,
    SimilarityBody,
    Token,
    TokenizeBody,
    is_single,
    rows_of,
)

Asked = tuple[str, Mapping[str, Any]]


_TYPES = {409: "Backend", 429: "Overloaded", 503: "Unhealthy", 500: "Backend", 504: "Backend"}


def _problem(status: int, message: str, request_id: str) -> tuple[int, Mapping[str, Any]]:
    del request_id
    return status, {"error": message, "error_type": _TYPES.get(status, "Validation")}


TEI = Dialect("tei", _problem, Refused)


def _embed(endpoint: Endpoint, body: EmbedBody, capabilities: Capabilities) -> Asked:
    del capabilities
    return endpoint.route, {"text": body.inputs, "dimensions": body.dimensions}


def _embedded(body: EmbedBody, told: Told) -> Any:
    return unit_vectors(told.results).tolist() if body.normalize else [one["vector"] for one in told.results]


def _predict(endpoint: Endpoint, body: PredictBody, capabilities: Capabilities) -> Asked:
    if _is_regression(capabilities) != body.raw:
        raise Refusal(
            422,
            'this model gives probabilities; leave "raw_scores" out'
            if body.raw
            else 'this model is a regression, whose value is no probability; send "raw_scores": true',
        )
    rows = rows_of(body.inputs)
    return endpoint.route, {
        "text": [row[0] for row in rows],
        "pair": [row[1] for row in rows] if len(rows[0]) == 2 else None,
    }


def _predicted(body: PredictBody, told: Told) -> Any:
    found = [_scored(one) for one in told.results]
    if body.parameters is not None:
        return [one[: body.parameters.top_k] for one in found]
    return found[0] if is_single(body.inputs) else found


def _scored(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the labels of a text, the most probable first; a regression's value as transformers names it."""
    probabilities = {"LABEL_0": result["value"]} if "value" in result else result["probabilities"]
    return [
        {"label": label, "score": score} for label, score in sorted(probabilities.items(), key=lambda each: -each[1])
    ]


def _rerank(endpoint: Endpoint, body: RerankBody, capabilities: Capabilities) -> Asked:
    del endpoint
    route = "classify" if _is_regression(capabilities) else "compare"
    return route, {"pair": body.texts, "text": [body.query] * len(body.texts)}


def _is_regression(capabilities: Capabilities) -> bool:
    return capabilities.model.task is not None and capabilities.model.task.name == "regression"


def _ranked(body: RerankBody, told: Told) -> Any:
    scores = [one["value"] if "value" in one else one["similarity"] for one in told.results]
    if _is_regression(told.capabilities) and not body.raw_scores:
        scores = [0.5 * (1 + math.tanh(0.5 * score)) for score in scores]  # the sigmoid, without overflow
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    return [
        {"index": index, **({"text": body.texts[index]} if body.return_text else {}), "score": scores[index]}
        for index in order
    ]


def _similarity(endpoint: Endpoint, body: SimilarityBody, capabilities: Capabilities) -> Asked:
    del capabilities
    others = body.inputs.sentences
    return endpoint.route, {"pair": others, "text": [body.inputs.source_sentence] * len(others)}


def _tokenize(endpoint: Endpoint, body: TokenizeBody, capabilities: Capabilities) -> Asked:
    del capabilities
    return endpoint.route, {"text": body.inputs, "pair": None, "specials": body.add_special_tokens}


def _tokens(body: TokenizeBody, told: Told) -> Any:
    specials = told.capabilities.model.tokenizer.specials
    return [_tokens_of(text, one, specials) for text, one in zip(body.inputs, told.results, strict=True)]


def _tokens_of(text: str, result: Mapping[str, Any], specials: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    for number, piece, (start, stop) in zip(result["ids"], result["pieces"], result["offsets"], strict=True):
        if piece in (specials[2], specials[3]):
            found.append({"id": number, "text": piece, "special": True, "start": None, "stop": None})
        else:
            found.append({"id": number, "text": text[start:stop], "special": False, "start": start, "stop": stop})
    return found


def info(capabilities: Capabilities, limits: Limits) -> dict[str, Any]:
    """Return what GET /info answers."""
    model, predictor = capabilities.model, capabilities.predictor
    names = {
        "id2label": {str(number): label for number, label in enumerate(model.labels)},
        "label2id": {label: number for number, label in enumerate(model.labels)},
    }
    kind: dict[str, Any] = {"embedding": {"pooling": predictor.default_pooling}}
    if _is_regression(capabilities):
        kind = {"reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}}
    elif "classify" in capabilities.names:
        kind = {"classifier": names}
    dtypes = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
    precision = predictor.execution.precision
    return {
        "model_id": capabilities.name,
        "model_sha": None,
        "model_dtype": dtypes.get(precision, precision),
        "served_model_name": capabilities.name,
        "model_type": kind,
        "max_concurrent_requests": limits.queue,
        "max_input_length": model.max_length,
        "max_batch_tokens": limits.batch_tokens,
        "max_batch_requests": None,
        "max_client_batch_size": limits.max_texts,
        "auto_truncate": False,
        "tokenization_workers": 2,
        "version": __version__,
        "sha": None,
        "docker_label": None,
    }


_CUT = ', or send "truncate": true'


def _truncates(body: Any) -> bool:
    return bool(body.truncate)


ENDPOINTS = (
    Endpoint(
        path="/embed",
        name="tei_embed",
        summary="Vectors, as TEI's clients ask for them",
        body=EmbedBody,
        answer=list[list[float]],
        given={"inputs": ["Oil prices rose.", "Crude became dearer."]},
        found=[[0.6, -0.8]],
        route="embed",
        dialect=TEI,
        ask=_embed,
        tell=_embedded,
        fields={"text": "inputs"},
        mark="inputs",
        may_cut=_truncates,
        to_cut=_CUT,
    ),
    Endpoint(
        path="/predict",
        name="tei_predict",
        summary="Labels with probabilities, as TEI's clients ask for them",
        body=PredictBody,
        answer=list[Scored] | list[list[Scored]],
        given={"inputs": "Oil prices rose again on Friday."},
        found=[{"label": "Business", "score": 0.97}, {"label": "World", "score": 0.03}],
        route="classify",
        dialect=TEI,
        ask=_predict,
        tell=_predicted,
        fields={"text": "inputs", "pair": "inputs"},
        may_cut=_truncates,
        to_cut=_CUT,
    ),
    Endpoint(
        path="/rerank",
        name="tei_rerank",
        summary="Texts sorted by how well they fit a query",
        body=RerankBody,
        answer=list[Rank],
        given={"query": "oil prices", "texts": ["Crude became dearer.", "Nobody was there."]},
        found=[{"index": 0, "score": 0.83}, {"index": 1, "score": 0.12}],
        route="compare",
        dialect=TEI,
        ask=_rerank,
        tell=_ranked,
        fields={"text": "query", "pair": "texts"},
        may_cut=_truncates,
        to_cut=_CUT,
    ),
    Endpoint(
        path="/similarity",
        name="tei_similarity",
        summary="How near each sentence is to a first one",
        body=SimilarityBody,
        answer=list[float],
        given={"inputs": {"source_sentence": "Oil prices rose.", "sentences": ["Crude became dearer."]}},
        found=[0.83],
        route="compare",
        dialect=TEI,
        ask=_similarity,
        tell=lambda _, told: [one["similarity"] for one in told.results],
        fields={"text": "source_sentence", "pair": "sentences"},
        may_cut=lambda body: body.parameters is not None and _truncates(body.parameters),
        to_cut=', or send "parameters": {"truncate": true}',
    ),
    Endpoint(
        path="/tokenize",
        name="tei_tokenize",
        summary="Tokens, as TEI's clients ask for them",
        body=TokenizeBody,
        answer=list[list[Token]],
        given={"inputs": "Oil", "add_special_tokens": False},
        found=[[{"id": 1152, "text": "Oil", "special": False, "start": 0, "stop": 3}]],
        route="tokenize",
        dialect=TEI,
        ask=_tokenize,
        tell=_tokens,
        fields={"text": "inputs"},
        mark="inputs",
    ),
)
