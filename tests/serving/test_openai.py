"""POST /v1/embeddings and GET /v1/models have OpenAI's shapes; the vectors are those of `embed`."""

from __future__ import annotations

import base64
import re
from typing import Any

import httpx
import numpy as np
import pytest
from tests.serving.asking import exchange, predictor_of, tiny_model

from albertkit.serving.limits import Limits

TEXTS = ["a splendid film", "dreadful, so so", "a"]
NAME = exchange("pretrained", "GET", "/v1/models").json()["data"][0]["id"]


def unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def ask(body: Any, task: str = "pretrained", **options: Any) -> httpx.Response:
    return exchange(task, "POST", "/v1/embeddings", body, **options)


def vectors_of(body: Any, task: str = "pretrained") -> Any:
    response = ask(body, task)
    assert response.status_code == 200, response.text
    return np.array([one["embedding"] for one in response.json()["data"]])


@pytest.mark.parametrize("task", ["pretrained", "classification", "dense"])
def test_the_answer_has_their_shape_and_our_vectors(task: str) -> None:
    found = ask({"input": TEXTS, "user": "u1"}, task).json()
    assert set(found) == {"object", "data", "model", "usage"}
    assert found["object"] == "list"
    assert [(one["object"], one["index"]) for one in found["data"]] == [("embedding", row) for row in range(3)]
    wanted = unit(predictor_of(task).embed(TEXTS))
    assert np.abs(np.array([one["embedding"] for one in found["data"]]) - wanted).max() <= 1e-6
    tokens = sum(len(tiny_model(task).tokenizer.encode(text).input_ids) for text in TEXTS)
    assert found["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


def test_base64_is_little_endian_float32() -> None:
    found = ask({"input": TEXTS, "encoding_format": "base64", "model": NAME}).json()["data"]
    decoded = np.array([np.frombuffer(base64.b64decode(one["embedding"]), "<f4") for one in found])
    assert np.abs(decoded - unit(predictor_of("pretrained").embed(TEXTS))).max() <= 1e-6


def test_token_ids_are_the_texts() -> None:
    tokenizer = tiny_model("pretrained").tokenizer
    wanted = vectors_of({"input": TEXTS})
    plain = [tokenizer.encode(text, specials=False).input_ids for text in TEXTS]
    around = [tokenizer.encode(text).input_ids for text in TEXTS]
    assert np.abs(vectors_of({"input": plain}) - wanted).max() <= 1e-6
    assert np.abs(vectors_of({"input": around}) - wanted).max() <= 1e-6
    assert np.abs(vectors_of({"input": plain[0]}) - wanted[:1]).max() <= 1e-6
    assert np.abs(vectors_of({"input": TEXTS[0], "dimensions": 16}) - wanted[:1]).max() <= 1e-6


def test_a_matryoshka_model_gives_its_sizes() -> None:
    whole = predictor_of("similarity").embed(TEXTS)
    found = exchange("similarity", "POST", "/v1/embeddings", {"input": TEXTS, "dimensions": 5}).json()
    vectors = np.array([row["embedding"] for row in found["data"]])
    np.testing.assert_allclose(vectors, unit(whole[:, :5]), atol=1e-6)
    assert exchange("similarity", "POST", "/embed", {"inputs": TEXTS, "dimensions": 5}).json() == vectors.tolist()
    own = exchange("similarity", "POST", "/embed", {"text": TEXTS, "dimensions": 5}).json()["results"]
    np.testing.assert_allclose([row["vector"] for row in own], vectors, atol=1e-6)
    refused = exchange("similarity", "POST", "/v1/embeddings", {"input": "a", "dimensions": 8})
    assert refused.status_code == 400
    assert "was not trained to give vectors of 8 dimensions; give 5 or 16" in refused.json()["error"]["message"]


def test_models_names_the_one_model() -> None:
    found = exchange("classification", "GET", "/v1/models").json()
    [one] = found["data"]
    assert (found["object"], one["object"], one["owned_by"]) == ("list", "model", "albertkit")
    assert one["created"] > 1_700_000_000


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (
            {"input": "a", "dimensions": 8},
            400,
            '"dimensions": .* was not trained to give vectors of 8 dimensions; give 16, or',
        ),
        ({"input": "a", "dimensions": 0}, 400, 'the field "dimensions": input should be greater'),
        ({"input": "a", "encoding_format": "int8"}, 400, "the field \"encoding_format\": input should be 'float' or"),
        ({"input": ""}, 400, 'the field "input": input 0 is empty'),
        ({"input": ["a", ""]}, 400, "input 1 is empty"),
        ({"input": []}, 400, "it is an empty list"),
        ({"input": [[]]}, 400, "input 0 is empty"),
        ({"input": [5, 10**6]}, 400, "id 1000000 is outside the vocabulary, whose ids are 0 to"),
        ({"input": [-1]}, 400, "it must be a text, a list of texts, token ids"),
        ({"input": ["a", [5]]}, 400, "it must be a text, a list of texts, token ids"),
        ({"input": [True]}, 400, "it must be a text, a list of texts, token ids"),
        ({"input": None}, 400, "it must be a text"),
        ({"model": "x"}, 400, 'the field "input" is missing'),
        ({"input": "a", "model": "text-embedding-3-small"}, 404, f'runs the model "{NAME}" and no other'),
        ({"input": "a", "texts": 1}, 400, "the fields are input, model, encoding_format, dimensions, user"),
        ({"input": ["a"] * 5}, 400, '"input" holds 5 texts and the limit per request is 4'),
        ({"input": [[5]] * 5}, 400, '"input" holds 5 texts and the limit per request is 4'),
        ({"input": "a" * 301}, 400, "has 301 characters"),
        ({"input": "so " * 80}, 400, "an input has 82 tokens and the model reads 64; shorten it"),
        ({"input": [5] * 70}, 400, "an input has 72 tokens"),
        ([], 400, "must be a JSON object"),
    ],
)
def test_refusals_have_their_shape(body: Any, status: int, words: str) -> None:
    limits = Limits(max_texts=4, max_characters=300)
    response = ask(body, limits=limits)
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert re.search(words, error["message"]), error["message"]


def test_keys_and_full_servers_answer_in_their_shape() -> None:
    assert ask({"input": "a"}, keys=["k"], headers={"Authorization": "Bearer k"}).status_code == 200
    refused = ask({"input": "a"}, keys=["k"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    listed = exchange("classification", "GET", "/v1/models", keys=["k"])
    assert (listed.status_code, listed.json()["error"]["code"]) == (401, "invalid_api_key")
    large = ask({"input": "a" * 200}, limits=Limits(max_body=100))
    assert (large.status_code, large.json()["error"]["type"]) == (413, "invalid_request_error")
