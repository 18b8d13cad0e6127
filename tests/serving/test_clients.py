"""The clients that people already use, on a real socket: openai, huggingface_hub, LangChain, LlamaIndex."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.serving.asking import on_loopback, predictor_of

from albertkit.serving.limits import Limits

TEXTS = ["a splendid film", "dreadful, so so", "a"]
KEY = "a-key-of-some-length"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with on_loopback("classification", keys=[KEY], limits=Limits(max_texts=4)) as found:
        yield found


def unit_vectors() -> Any:
    vectors = predictor_of("classification").embed(TEXTS)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def near(found: Any, wanted: Any) -> bool:
    return bool(np.abs(np.array(found) - np.array(wanted)).max() <= 1e-5)


def test_openai(url: str) -> None:
    openai = pytest.importorskip("openai")
    with openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client:
        [model] = [one.id for one in client.models.list()]
        for options in (
            {},
            {"encoding_format": "float"},
            {"encoding_format": "base64"},
        ):  # left out, it asks for base64
            found = client.embeddings.create(model=model, input=TEXTS, **options)
            if options.get("encoding_format") != "base64":
                assert near([one.embedding for one in found.data], unit_vectors())
        assert found.usage.prompt_tokens == found.usage.total_tokens > len(TEXTS)
        with pytest.raises(openai.NotFoundError, match="and no other"):
            client.embeddings.create(model="text-embedding-3-small", input="a")
        with pytest.raises(openai.BadRequestError, match="holds 5 texts and the limit per request is 4") as caught:
            client.embeddings.create(model=model, input=["a"] * 5)
        assert caught.value.type == "invalid_request_error"
        assert caught.value.request_id
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError, match="needs an API key"),
    ):
        stranger.models.list()


def test_huggingface_hub(url: str) -> None:
    hub = pytest.importorskip("huggingface_hub")
    client = hub.InferenceClient(token=KEY)
    assert near(client.feature_extraction(TEXTS, model=f"{url}/embed"), unit_vectors())
    found = client.text_classification(TEXTS[0], model=f"{url}/predict", top_k=2)
    [offline] = predictor_of("classification").predict(TEXTS[:1])
    assert found[0].label == offline["label"]
    assert near([one.score for one in found], [offline["probabilities"][one.label] for one in found])
    near_first = client.sentence_similarity(TEXTS[0], TEXTS[1:], model=f"{url}/similarity")
    assert near(near_first, unit_vectors()[1:] @ unit_vectors()[0])
    with pytest.raises(hub.errors.HfHubHTTPError, match="422") as caught:
        client.feature_extraction("so " * 80, model=f"{url}/embed")
    assert caught.value.response.json()["error"].endswith('or send "truncate": true')
    assert client.feature_extraction("so " * 80, model=f"{url}/embed", truncate=True).shape == (1, 16)


def test_langchain(url: str) -> None:
    langchain = pytest.importorskip("langchain_openai")
    openai = pytest.importorskip("openai")
    with openai.OpenAI(base_url=f"{url}/v1", api_key=KEY) as client:
        [model] = [one.id for one in client.models.list()]
    # Otherwise it sends the token ids of OpenAI's own vocabulary.
    client = langchain.OpenAIEmbeddings(
        model=model, base_url=f"{url}/v1", api_key=KEY, check_embedding_ctx_length=False, chunk_size=4
    )
    assert near(client.embed_documents(TEXTS), unit_vectors())


def test_llama_index(url: str) -> None:
    llama = pytest.importorskip("llama_index.embeddings.text_embeddings_inference")
    client = llama.TextEmbeddingsInference(base_url=url, model_name="albert", auth_token=KEY, embed_batch_size=4)
    assert near(client.get_text_embedding_batch(TEXTS), unit_vectors())
