"""What the server answers is what the same model says offline, whoever shares its pass."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.checkpoints.sentence_folders import OUT
from tests.serving.asking import OF_TASK, ask, predictor_of, served, tiny_model
from tests.tiny import execution, keyword_rows

from albertkit.data.examples import ChoiceExample
from albertkit.explaining import explain
from albertkit.inference.predictor import Predictor
from albertkit.inference.pretraining_predictor import fill_masks, sentence_order
from albertkit.models.loaded import ExportedNetwork
from albertkit.models.pretrained import with_task_head
from albertkit.serving.limits import Limits
from albertkit.tasks import TASKS
from albertkit.tasks.head_spec import HeadSpec

TEXTS = [text for text, _ in keyword_rows(24)] + ["", "a", "long " * 70]
PASSAGE = "Ada wrote the letter in May. Charles read it in June, at home in London. " * 6


def near(found: Any, wanted: Any, *, tolerance: float = 1e-5) -> bool:
    """Equal but for numbers that differ by the tolerance at most."""
    if isinstance(wanted, float):
        return abs(found - wanted) <= tolerance
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(near(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list | tuple):
        return len(found) == len(wanted) and all(near(one, other) for one, other in zip(found, wanted, strict=True))
    return bool(found == wanted)


def without(rows: Any, *names: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key not in names} for row in rows]


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_many_clients_at_once_get_what_predict_gives(task: str) -> None:
    async def main() -> list[Any]:
        async with served(predictor_of(task), limits=Limits(batch_wait=30, batch_tokens=300)) as (client, service):
            found = await asyncio.gather(*(client.post("/classify", json={"text": text}) for text in TEXTS))
            passes = service.metrics.registry.get_sample_value("albertkit_batch_seconds_count")
            assert passes is not None
            assert passes < len(TEXTS) / 2  # they did share them
            return [one.json()["results"][0] for one in found]

    results = asyncio.run(main())
    offline = without(predictor_of(task).predict(TEXTS), "text")
    assert near(without(results, "cut_tokens"), offline)
    assert [row["cut_tokens"] for row in results] == [0] * (len(TEXTS) - 1) + [70 + 2 - 64]


def test_pairs_and_lists() -> None:
    pairs = list(zip(TEXTS[:5], TEXTS[5:10], strict=True))
    found = ask("classification", "classify", {"text": [a for a, _ in pairs], "pair": [b for _, b in pairs]})
    assert near(without(found, "cut_tokens"), without(predictor_of("classification").predict(pairs), "text", "pair"))


@pytest.mark.parametrize("task", ["question_answering", "question_answering_v2"])
def test_answers_over_windows(task: str) -> None:
    questions = ["Who wrote the letter?", "Where?", ""]
    found = ask(task, "answer", {"question": questions, "context": PASSAGE})
    offline = predictor_of(task).predict([(question, PASSAGE) for question in questions])
    assert near(found, without(offline, "text", "pair"))
    assert all(PASSAGE[one["start"] : one["end"]] == one["answer"] for one in found)


def test_tags() -> None:
    texts = ["Ada lives in Bath.", "", PASSAGE]
    found = ask("token_classification", "tag", {"text": texts})
    assert near(found, without(predictor_of("token_classification").predict(texts), "text"))


def test_choices() -> None:
    body = {"context": PASSAGE, "question": "Ada wrote in _.", "options": ["May", "June", "a winter"]}
    found = ask("multiple_choice", "choose", body)
    example = ChoiceExample(PASSAGE, "Ada wrote in _.", ("May", "June", "a winter"))
    assert near(without(found, "cut_tokens"), predictor_of("multiple_choice").predict_examples([example]))
    assert found[0]["cut_tokens"] > 0


@pytest.mark.parametrize("pooling", ["mean", "cls", "pooler", None])
@pytest.mark.parametrize("model", ["pretrained", "dense"])
def test_vectors(model: str, pooling: str | None) -> None:
    found = ask(model, "embed", {"text": TEXTS, "pooling": pooling})
    offline = predictor_of(model).embed(TEXTS, pooling=pooling)
    assert offline.shape[1] == (OUT if model == "dense" and pooling in ("mean", None) else 16)
    assert np.abs(np.array([row["vector"] for row in found]) - offline).max() <= 1e-5


@pytest.mark.parametrize("task", ["pretrained", "similarity", "dense"])
def test_comparing_is_the_cosine_of_the_vectors(task: str) -> None:
    found = ask(task, "compare", {"text": TEXTS[:6], "pair": TEXTS[6:12]})
    vectors = predictor_of(task).embed(TEXTS[:12])
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert near([row["similarity"] for row in found], (vectors[:6] * vectors[6:]).sum(axis=1).tolist())
    assert ask(task, "compare", {"text": "a", "pair": "a"})[0]["similarity"] == pytest.approx(1, abs=1e-6)


def test_masks_are_those_of_fill() -> None:
    texts = ["a [MASK] of tea", "the [MASK]. and [MASK] , so", "[MASK]"]
    found = ask("pretrained", "fill", {"text": texts, "top": 4})
    for text, one in zip(texts, found, strict=True):
        offline = fill_masks(predictor_of("pretrained"), text, top=4)
        assert [mask["position"] for mask in one["masks"]] == [mask.position for mask in offline]
        for mask, wanted in zip(one["masks"], offline, strict=True):
            assert near(
                [(each["piece"], each["probability"]) for each in mask["candidates"]],
                [(each.piece, each.probability) for each in wanted.candidates],
            )


def test_order() -> None:
    found = ask("pretrained", "order", {"text": TEXTS[0], "pair": TEXTS[1]})
    offline = sentence_order(predictor_of("pretrained"), TEXTS[0], TEXTS[1])
    assert near(found, [{"probability_in_order": offline, "cut_tokens": 0}])


def test_tokens() -> None:
    found = ask("pretrained", "tokenize", {"text": ["Unfriendly, (2)!", ""], "specials": True})
    encoding = tiny_model("pretrained").tokenizer.encode("Unfriendly, (2)!")
    assert found[0]["ids"] == encoding.input_ids
    assert found[0]["pieces"] == encoding.pieces
    assert [tuple(span) for span in found[0]["offsets"]] == encoding.offsets
    assert found[1]["pieces"] == ["[CLS]", "[SEP]"]


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_explanations_are_those_of_explain(task: str) -> None:
    texts = ["a splendid film, isn't it?", "dreadful " * 80]
    found = ask(task, "explain", {"text": texts})
    offline = [one.to_dict() for one in explain(predictor_of(task), texts)]
    assert near(found, offline)
    assert found[1]["unread"] > 0


def test_a_label_can_be_explained_alone() -> None:
    found = ask("classification", "explain", {"text": "a splendid film", "pair": "so so", "label": "bad"})
    assert found[0]["label"] == "bad"
    assert {word["field"] for word in found[0]["words"]} == {"text", "pair"}


def test_a_head_on_two_texts_refuses_one() -> None:
    model = with_task_head(
        tiny_model("classification"), task="classification", labels=("a", "b"), head=HeadSpec(pooling="pair")
    )

    async def main() -> None:
        async with served(Predictor(model, execution=execution())) as (client, _):
            both = await client.post("/classify", json={"text": "a film", "pair": "a book"})
            assert both.status_code == 200
            one = await client.post("/classify", json={"text": "a film"})
            assert one.status_code == 422
            assert "compares two texts: give a second text" in one.json()["error"]["message"]

    asyncio.run(main())


@pytest.mark.parametrize("task", [*OF_TASK, "pretrained"])
def test_what_a_model_cannot_is_refused_with_what_it_can(task: str) -> None:
    async def main() -> None:
        async with served(predictor_of(task)) as (client, _):
            can = (await client.get("/model")).json()["can"]
            assert {"embed", "compare", "tokenize"} <= set(can)
            for route in {"classify", "answer", "tag", "choose", "fill", "order", "explain"} - set(can):
                response = await client.post(f"/{route}", content="not even JSON")
                assert response.status_code == 409
                assert f"does not support {route}; it supports {', '.join(can)}" in response.json()["error"]["message"]

    asyncio.run(main())


@pytest.mark.parametrize(("learned", "takes"), [(None, True), (True, True), (False, False)])
def test_a_classifier_of_single_texts_says_so(learned: bool | None, takes: bool) -> None:
    predictor = predictor_of("classification")
    predictor.model = replace(predictor.model, task=replace(predictor.model.task, takes_pairs=learned))

    async def main() -> None:
        async with served(predictor) as (client, _):
            assert (await client.get("/model")).json()["takes_pairs"] is takes
            response = await client.post("/classify", json={"text": "a film", "pair": "a story"})
            assert response.status_code == (200 if takes else 422)

    asyncio.run(main())


def test_an_exported_model_does_what_its_file_holds() -> None:
    predictor = predictor_of("classification")  # its runtime replaces the file's
    network = ExportedNetwork(predictor.model.network.config, "onnx", "exported")
    predictor.model = replace(predictor.model, network_or_export=network)

    async def main() -> None:
        async with served(predictor) as (client, service):
            assert service.failure is None
            assert (await client.get("/model")).json()["can"] == ["classify", "explain", "embed", "compare", "tokenize"]
            for route in ("classify", "explain", "embed", "tokenize"):
                assert (await client.post(f"/{route}", json={"text": "a splendid film"})).status_code == 200

    asyncio.run(main())


def test_every_task_has_its_route() -> None:
    assert all(TASKS[name].route for name in TASKS)
