"""Bodies of every shape: each is answered or refused in one form, and none fails the server."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest
from tests.serving.asking import predictor_of, served

from albertkit.serving.limits import Limits
from albertkit.serving.routes import routes

TEXTS = (
    "a splendid film", "", " ", "\n\t\u2028", "[MASK] and [CLS]", "a [MASK] of tea", "\ud800", "\0", "\ufdfa" * 60,
    "e\u0301" * 9, "\u0323\u0301" * 300, "\U0001f600" * 5, "\ufffe", "x" * 400, "so " * 60, "_ _",
    "\u202eabc", "Nobody was there.",
)  # fmt: skip
OTHERS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 101, 10**30, 0.5, float("nan"), float("inf"), -0.0, [], {}, [[]], [None],
    {"text": "a"}, "good", "mean", "pooler", "no such label",
)  # fmt: skip
LIMITS = Limits(max_texts=4, max_characters=300, max_body=6000, max_tokens=600)


def value_like(given: Any, chance: random.Random) -> Any:
    """A value for a field: mostly of its kind, now and then of another."""
    if chance.random() < 0.15:
        return chance.choice(OTHERS)
    if isinstance(given, bool):
        return chance.random() < 0.5
    if isinstance(given, int):
        return chance.choice((1, 2, 100, 0, 101, -5))
    if isinstance(given, list) or chance.random() < 0.4:
        return [
            chance.choice(OTHERS) if chance.random() < 0.05 else chance.choice(TEXTS)
            for _ in range(chance.choice((0, 1, 2, 2, 3, 5)))
        ]
    return chance.choice(TEXTS)


def body_for(route: Any, chance: random.Random) -> Any:
    """A body for a path, of that path's fields and some of others."""
    if chance.random() < 0.03:
        return chance.choice(OTHERS)
    body = {}
    for name, field in route.body.model_fields.items():
        if chance.random() < (0.95 if field.is_required() else 0.4):
            body[name] = value_like(route.given.get(name, field.default), chance)
    if chance.random() < 0.05:
        body[chance.choice(("texts", "label", "top", "", "\ud800", "__proto__"))] = chance.choice(OTHERS)
    return body


async def ask_all(task: str, *, bodies: int, seed: int) -> dict[int, int]:
    """Send so many bodies to each path and return how often each status came."""
    chance = random.Random(f"{task} {seed}")
    found: dict[int, int] = {}
    async with served(predictor_of(task), limits=LIMITS) as (client, service):
        for route in routes():
            for _ in range(bodies):
                content = json.dumps(body_for(route, chance)).encode()
                response = await client.post(
                    f"/{route.name}", content=content, headers={"Content-Type": "application/json"}
                )
                status = response.status_code
                assert status in (200, 409, 413, 422), (route.name, content, response.text)
                found[status] = found.get(status, 0) + 1
                answer = json.loads(response.content, parse_constant=lambda name: pytest.fail(name))
                if status == 200:
                    route.result.model_validate(answer["results"][0])
                else:
                    assert answer["error"]["status"] == status
        assert service.open == 0
    return found


TASKS = [
    "classification",
    "regression",
    "token_classification",
    "question_answering_v2",
    "multiple_choice",
    "pretrained",
]


@pytest.mark.parametrize("task", ["classification", "pretrained"])
def test_some_bodies(task: str) -> None:
    found = asyncio.run(ask_all(task, bodies=16, seed=0))
    assert found[200] > 10
    assert found[422] > 10


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_many_bodies(task: str) -> None:
    for seed in range(1, 4):
        found = asyncio.run(ask_all(task, bodies=150, seed=seed))
        assert found[200] > 100
