"""docs/serving.md is true: its curl lines are asked, its tables are those of the code."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from pathlib import Path

import click
import pytest
from tests.serving.asking import on_loopback, predictor_of, served

from albertkit.cli.serve import command
from albertkit.serving.app import make_app
from albertkit.serving.limits import CONNECTIONS, Limits
from albertkit.serving.routes import routes
from albertkit.serving.service import Service

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")


def test_the_curl_lines_are_answered() -> None:
    lines = [
        line
        for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    curls = [shlex.split(line) for line in lines if line.startswith("curl ")]
    assert len(curls) == 4

    async def main() -> None:
        async with served(predictor_of("classification")) as (client, _):
            for words in curls:
                path = words[2].removeprefix("http://127.0.0.1:8000")
                if "-d" not in words:
                    response = await client.get(path)
                else:
                    assert words[words.index("-H") + 1] == "Content-Type: application/json"
                    body = json.loads(words[words.index("-d") + 1])
                    response = await client.post(path, json=body)
                    texts = body["text"]
                    assert len(response.json()["results"]) == (1 if isinstance(texts, str) else len(texts))
                assert response.status_code == 200

    asyncio.run(main())


@pytest.mark.parametrize(("package", "printed"), [("openai", "2 "), ("huggingface_hub", "(2, 16) ")])
def test_the_clients_are_answered(package: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(package)
    [block] = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if f"from {package} " in block]
    with on_loopback("classification") as url:
        program = block.replace("http://127.0.0.1:8000", url)
        exec(compile(program, "docs/serving.md", "exec"), names := {})
    if package == "openai":
        names["client"].close()
    assert capsys.readouterr().out.startswith(printed)


def test_the_table_of_verbs() -> None:
    for route in routes():
        row = re.search(rf"^\| `{route.name}` \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)
        assert row is not None, route.name
        fields = {name: field.is_required() for name, field in route.body.model_fields.items()}
        assert {name: not mark for name, mark in re.findall(r"`(\w+)`(\??)", row[1])} == fields
        known = re.findall(r'"(\w+)"', json.dumps(route.result.model_json_schema()))
        assert set(re.findall(r"`(\w+)`", row[2])) <= {*known, *route.body.model_fields}


def test_the_tables_of_options_statuses_and_metrics() -> None:
    defaults = {
        parameter.name: parameter.default for parameter in command.params if isinstance(parameter, click.Option)
    }
    limits = vars(Limits())
    for name, value in re.findall(r"^\| `--([a-z-]+)` \| (\d+) \|", PAGE, re.MULTILINE):
        field = name.replace("-", "_")
        assert float(value) == defaults[field] == limits[field], name
    assert {name.replace("_", "-") for name in limits} - {"body-seconds"} <= set(re.findall(r"`--([a-z-]+)`", PAGE))
    assert f"after {limits['body_seconds']:g} seconds" in PAGE
    assert f"or {CONNECTIONS} connections" in PAGE
    service = Service(lambda: predictor_of("classification"))
    told = make_app(service, keys=["k"]).openapi()["paths"]["/classify"]["post"]["responses"]
    rows = {status for line in re.findall(r"^\| ([\d, ]+) \|", PAGE, re.MULTILINE) for status in line.split(", ")}
    assert rows - {"404", "405"} == set(told) - {"200"}
    for name in re.findall(r"`(albertkit_\w+)[`{]", PAGE):
        assert f"# HELP {name}" in service.metrics.text().decode(), name
