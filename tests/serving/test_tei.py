"""The paths of text-embeddings-inference have its shapes and the numbers of albertkit's own routes."""

from __future__ import annotations

import re
from typing import Any

import httpx
import numpy as np
import pytest
from tests.serving.asking import LABELS, exchange, predictor_of, tiny_model

from albertkit.serving.limits import Limits

TEXTS = ["a splendid film", "dreadful, so so", "a"]


def ask(task: str, path: str, body: Any, **options: Any) -> Any:
    response = exchange(task, "POST", path, body, **options)
    assert response.status_code == 200, response.text
    return response.json()


def near(found: Any, wanted: Any) -> bool:
    return bool(np.abs(np.array(found) - np.array(wanted)).max() <= 1e-5)


def test_embed() -> None:
    offline = predictor_of("pretrained").embed(TEXTS)
    assert near(ask("pretrained", "/embed", {"inputs": TEXTS, "normalize": False}), offline)
    wanted = offline / np.linalg.norm(offline, axis=1, keepdims=True)
    assert near(ask("pretrained", "/embed", {"inputs": TEXTS, "truncate": True, "dimensions": 16}), wanted)
    assert near(ask("pretrained", "/embed", {"inputs": TEXTS[0], "prompt_name": None}), wanted[:1])
    ids = [tiny_model("pretrained").tokenizer.encode(text).input_ids for text in TEXTS]
    assert near(ask("pretrained", "/embed", {"inputs": ids}), wanted)


def test_our_own_forms_of_the_shared_paths_stay() -> None:
    assert near(
        ask("pretrained", "/embed", {"text": "a"})["results"][0]["vector"], predictor_of("pretrained").embed("a")[0]
    )
    assert ask("pretrained", "/tokenize", {"text": "a"})["results"][0]["ids"]


def test_predict_of_a_text_a_pair_and_a_batch() -> None:
    offline = predictor_of("classification").predict(TEXTS)
    found = ask("classification", "/predict", {"inputs": [[text] for text in TEXTS]})
    for one, wanted in zip(found, offline, strict=True):
        assert {each["label"] for each in one} == set(LABELS)
        assert one[0]["label"] == wanted["label"]
        assert [each["score"] for each in one] == sorted((each["score"] for each in one), reverse=True)
        assert near([each["score"] for each in one], [wanted["probabilities"][each["label"]] for each in one])
    for inputs in (TEXTS[0], TEXTS[:1]):
        one = ask("classification", "/predict", {"inputs": inputs})
        assert near([each["score"] for each in one], [each["score"] for each in found[0]])
    [pair] = predictor_of("classification").predict([(TEXTS[0], TEXTS[1])])
    one = ask("classification", "/predict", {"inputs": TEXTS[:2]})
    assert near([each["score"] for each in one], [pair["probabilities"][each["label"]] for each in one])
    pipeline = {"inputs": TEXTS[0], "parameters": {"top_k": 2}}
    [one] = ask("classification", "/predict", pipeline)
    assert [each["label"] for each in one] == [each["label"] for each in found[0][:2]]


def test_predict_of_several_labels_and_of_a_regression() -> None:
    [offline] = predictor_of("multilabel").predict(TEXTS[:1])
    found = ask("multilabel", "/predict", {"inputs": TEXTS[0]})
    assert near([each["score"] for each in found], [offline["probabilities"][each["label"]] for each in found])
    [value] = predictor_of("regression").predict(TEXTS[:1])
    found = ask("regression", "/predict", {"inputs": TEXTS[0], "raw_scores": True})
    assert found[0]["label"] == "LABEL_0"  # as transformers names it
    assert near(found[0]["score"], value["value"])
    found = ask("regression", "/predict", {"inputs": TEXTS[0], "parameters": {"function_to_apply": "none"}})
    assert near(found[0][0]["score"], value["value"])


def test_rerank_by_a_regression_of_pairs_or_by_vectors() -> None:
    query = "film"
    values = [one["value"] for one in predictor_of("regression").predict([(query, text) for text in TEXTS])]
    found = ask("regression", "/rerank", {"query": query, "texts": TEXTS, "raw_scores": True, "return_text": True})
    assert [one["text"] for one in found] == [TEXTS[one["index"]] for one in found]
    assert [one["index"] for one in found] == np.argsort(values)[::-1].tolist()
    assert near([one["score"] for one in found], sorted(values, reverse=True))
    found = ask("regression", "/rerank", {"query": query, "texts": TEXTS})
    assert near([one["score"] for one in found], 1 / (1 + np.exp(-np.sort(values)[::-1])))
    vectors = predictor_of("pretrained").embed([query, *TEXTS])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = ask("pretrained", "/rerank", {"query": query, "texts": TEXTS, "truncate": True})
    assert set(found[0]) == {"index", "score"}
    assert near([one["score"] for one in found], np.sort(vectors[1:] @ vectors[0])[::-1])


@pytest.mark.parametrize("task", ["pretrained", "similarity"])
def test_similarity(task: str) -> None:
    vectors = predictor_of(task).embed([TEXTS[0], *TEXTS])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    body = {"inputs": {"source_sentence": TEXTS[0], "sentences": TEXTS}, "parameters": {"truncate": True}}
    assert near(ask(task, "/similarity", body), vectors[1:] @ vectors[0])


def test_tokenize() -> None:
    text = "Unfriendly, (2)!"
    encoding = tiny_model("pretrained").tokenizer.encode(text)
    [found] = ask("pretrained", "/tokenize", {"inputs": text})
    assert [one["id"] for one in found] == encoding.input_ids
    assert [one["text"] for one in found if one["special"]] == ["[CLS]", "[SEP]"]
    assert (found[0]["start"], found[0]["stop"]) == (None, None)
    assert all(text[one["start"] : one["stop"]] == one["text"] for one in found[1:-1])
    several = ask("pretrained", "/tokenize", {"inputs": [text, "a"], "add_special_tokens": False})
    assert several[0] == found[1:-1]


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        ("pretrained", {"embedding": {"pooling": "mean"}}),
        ("classification", {"classifier": {"id2label": {str(n): one for n, one in enumerate(LABELS)},
                                           "label2id": {one: n for n, one in enumerate(LABELS)}}}),
        ("regression", {"reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}}),
        ("token_classification", {"embedding": {"pooling": "mean"}}),
    ],
)  # fmt: skip
def test_info(task: str, kind: Any) -> None:
    found = exchange(task, "GET", "/info").json()
    assert found["model_type"] == kind
    assert (found["max_input_length"], found["max_client_batch_size"], found["model_dtype"]) == (64, 64, "float32")


@pytest.mark.parametrize(
    ("task", "path", "body", "status", "words"),
    [
        (
            "pretrained",
            "/predict",
            {"inputs": "a"},
            409,
            "which does not support classify; it supports fill, order, embed",
        ),
        ("classification", "/predict", {"inputs": [["a"], ["a", "b"]]}, 422, "it mixes texts and pairs"),
        ("classification", "/predict", {"inputs": ["a", "b", "c"]}, 422, "it must be a text, a pair"),
        ("classification", "/predict", {"inputs": []}, 422, "it is an empty list"),
        ("classification", "/predict", {"inputs": "a", "raw_scores": True}, 422, "gives probabilities; leave"),
        ("classification", "/predict", {"inputs": [["a"]] * 5}, 422, '"inputs" holds 5 texts'),
        ("regression", "/predict", {"inputs": "a"}, 422, 'no probability; send "raw_scores": true'),
        ("pretrained", "/embed", {"inputs": ""}, 422, 'the field "inputs": input 0 is empty'),
        (
            "pretrained",
            "/embed",
            {"inputs": "a", "dimensions": 4},
            422,
            '"dimensions": .* was not trained to give vectors of 4',
        ),
        ("pretrained", "/embed", {"inputs": "a", "prompt_name": "query"}, 422, 'the field "prompt_name"'),
        ("pretrained", "/embed", {"inputs": "a", "truncation_direction": "Left"}, 422, '"truncation_direction"'),
        ("pretrained", "/embed", {"inputs": "so " * 80}, 422, r'82 tokens .* reads 64; .* or send "truncate": true'),
        ("pretrained", "/embed", {"inputs": "a", "pooling": "cls"}, 422, "the fields are truncate, "),
        ("pretrained", "/rerank", {"query": "a", "texts": []}, 422, "it is an empty list"),
        ("pretrained", "/rerank", {"query": "a", "texts": ["b"] * 5}, 422, '"texts" holds 5 texts'),
        ("pretrained", "/rerank", {"query": "a", "texts": ["so " * 80]}, 422, "82 tokens"),
        ("pretrained", "/similarity", {"inputs": "a"}, 422, 'the field "inputs"'),
        (
            "pretrained",
            "/similarity",
            {"inputs": {"source_sentence": "a", "sentences": ["so " * 80]}},
            422,
            'send "parameters": {"truncate": true}',
        ),
        ("pretrained", "/tokenize", {"inputs": 5}, 422, "it must be a list of texts"),
    ],
)
def test_refusals_have_their_shape(task: str, path: str, body: Any, status: int, words: str) -> None:
    response = exchange(task, "POST", path, body, limits=Limits(max_texts=4))
    assert response.status_code == status, response.text
    error = response.json()
    assert set(error) == {"error", "error_type"}
    assert error["error_type"] == ("Backend" if status == 409 else "Validation")
    assert re.search(words, error["error"]), error["error"]


def test_a_shared_path_answers_in_the_form_of_its_body() -> None:
    def problem(body: Any) -> httpx.Response:
        return exchange("pretrained", "POST", "/embed", body, limits=Limits(max_texts=1)).json()

    assert isinstance(problem({"inputs": ["a", "b"]})["error"], str)
    assert problem({"text": ["a", "b"]})["error"]["status"] == 422
    assert problem({})["error"]["message"].startswith('the field "text" is missing')
    assert problem([])["error"]["message"].startswith("the body must be a JSON object")


def test_pages_of_other_hosts_only_where_they_are_named() -> None:
    asks = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    off = exchange("classification", "POST", "/predict", {"inputs": "a"}, headers=asks)
    assert "access-control-allow-origin" not in off.headers
    on = {"origins": ["https://app.example"], "keys": ["k"]}
    asked = exchange("classification", "OPTIONS", "/predict", headers=asks, **on)
    assert asked.status_code == 200  # a browser sends no key with this question
    assert asked.headers["access-control-allow-origin"] == "https://app.example"
    refused = exchange("classification", "POST", "/predict", {"inputs": "a"}, headers=asks, **on)
    assert (refused.status_code, refused.json()["error_type"]) == (401, "Validation")
    assert refused.headers["access-control-allow-origin"] == "https://app.example"  # so that the page reads why
    other = {**asks, "Origin": "https://evil.example"}
    assert (
        "access-control-allow-origin" not in exchange("classification", "GET", "/health", headers=other, **on).headers
    )
