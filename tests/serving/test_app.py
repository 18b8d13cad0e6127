"""OpenAPI is complete and its examples are true to their forms; the page needs no other host."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import TypeAdapter
from tests.serving.asking import predictor_of, served

from albertkit.serving.paths import paths
from albertkit.serving.routes import routes

PAGE = files("albertkit") / "assets" / "page"


def get(path: str, *, keys: Sequence[str] = ()) -> Any:
    async def main() -> Any:
        async with served(predictor_of("classification"), keys=keys) as (client, _):
            await client.post("/classify", json={"text": "a splendid film"})
            return await client.get(path)

    return asyncio.run(main())


@pytest.mark.parametrize("keys", [[], ["a-key"]])
def test_every_status_is_told(keys: list[str]) -> None:
    told = get("/openapi.json", keys=keys).json()
    assert told["openapi"].startswith("3.1")
    for path, forms in paths().items():
        operation = told["paths"][path]["post"]
        expected = "200 400 401 408 409 413 415 421 422 429 500 503 504".split()
        if not keys:
            expected.remove("401")
        assert sorted(operation["responses"]) == expected
        ways = {tuple(each) for each in operation.get("security", ())}
        assert ways == ({("HTTPBearer",), ("APIKeyHeader",)} if keys else set())
        assert operation["responses"]["429"]["headers"]["Retry-After"]["schema"] == {"type": "integer"}
        for status in expected[1:]:
            example = operation["responses"][status]["content"]["application/json"]["example"]
            forms[0].dialect.refused.model_validate(example)
    gets = {"/health", "/ready", "/model", "/metrics", "/v1/models", "/info"}
    assert set(told["paths"]) == {*paths(), *gets}


@pytest.mark.parametrize("form", [form for forms in paths().values() for form in forms], ids=lambda form: form.name)
def test_the_examples_fit(form: Any) -> None:
    form.body.model_validate(form.given)
    TypeAdapter(form.answer).validate_python(form.found)


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.name)
def test_the_examples_have_no_other_fields(route: Any) -> None:
    assert set(route.found) <= set(route.result.model_fields)


def test_a_path_of_two_forms_tells_both() -> None:
    operation = get("/openapi.json").json()["paths"]["/embed"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert [list(example["value"]) for example in examples.values()] == [["text"], ["inputs"]]
    assert set(operation["responses"]["200"]["content"]["application/json"]["examples"]) == {"embed", "tei_embed"}


def test_metrics_are_prometheus() -> None:
    response = get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    [sample] = [each for each in families["albertkit_requests"].samples if each.name.endswith("_total")]
    assert (sample.labels, sample.value) == ({"path": "/classify", "status": "200"}, 1)
    assert families["albertkit_ready"].samples[0].value == 1
    assert (
        families["albertkit_model_info".removesuffix("_info") + "_info"].samples[0].labels["task"] == "classification"
    )
    assert sum(each.value for each in families["albertkit_batch_tokens"].samples if each.name.endswith("_sum")) > 3


class Links(HTMLParser):
    """Everything that a page loads, and the ids and labels of its fields."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loaded += [given[name] or "" for name in ("src", "href") if given.get(name)]
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        self.inline += [tag] * (tag == "style" or (tag == "script" and "src" not in given))


def test_the_page_needs_no_other_host_and_nothing_inline() -> None:
    response = get("/")
    links = Links()
    links.feed(response.text)
    assert links.inline == []
    assert set(links.loaded) == {"page/style.css", "page/app.js", "data:,", "#panels"}
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    for name in ("app.js", "server.js", "style.css", "index.html"):
        text = (PAGE / name).read_text(encoding="utf-8")
        assert not re.search(r"https?://|innerHTML|insertAdjacentHTML|eval\(", text)
        assert len(text) < 20_000
    for name, kind in (("app.js", "text/javascript"), ("send.js", "text/javascript"), ("style.css", "text/css")):
        served_file = get(f"/page/{name}")
        assert served_file.headers["content-type"].startswith(kind)
        assert served_file.headers["x-content-type-options"] == "nosniff"


def test_the_page_has_a_panel_for_what_people_ask() -> None:
    script = (PAGE / "app.js").read_text(encoding="utf-8")
    shown = set(re.findall(r'route: "(\w+)"', script))
    assert shown == {route.name for route in routes()} - {"embed", "explain"}
    for route in routes():  # the fields that the page sends are those of the body
        if route.name in shown:
            own = script.partition(f'route: "{route.name}"')[2].partition("show:")[0]
            assert set(re.findall(r'{ name: "(\w+)"', own)) <= set(route.body.model_fields)
