"""The log: JSON, a line a request, no word of what users send."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Collection, Iterator
from typing import Any

import pytest
from tests.serving.asking import predictor_of, served

from albertkit.batching.batch import Batch
from albertkit.serving.logs import write_logs_to

SECRET = "xyzzy-secret"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    loggers = [logging.getLogger(name) for name in ("albertkit.serving", "uvicorn", "asyncio")]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    write_logs_to(stream)
    yield stream
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


class Broken:
    """A runtime that tells the text in its error."""

    warm = False

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def run(self, batch: Batch, *, outputs: Collection[str]) -> Any:
        if self.warm:
            raise RuntimeError(f"cannot read {SECRET}")
        self.warm = True
        return self.inner.run(batch, outputs=outputs)


def test_no_text_gets_into_the_log(lines: io.StringIO) -> None:
    broken = predictor_of("classification")
    broken.runtime = Broken(broken.runtime)

    async def main() -> None:
        async with served(predictor_of("classification")) as (client, _):
            for body in ({"text": SECRET}, {"text": SECRET, SECRET: 1}, {"text": [SECRET, 5]}, SECRET):
                await client.post("/classify", json=body, headers={"X-Request-Id": SECRET + " \\n"})
            await client.post("/explain", json={"text": SECRET, "label": SECRET})
            await client.post(f"/{SECRET}?q={SECRET}", headers={"User-Agent": SECRET})
            await client.request("SECRET", "/classify")
        async with served(broken) as (client, _):
            response = await client.post("/classify", json={"text": SECRET})
            assert response.status_code == 500
            assert SECRET not in response.text
            assert response.json()["error"]["message"] == "internal server error; see the server's log"

    asyncio.run(main())
    assert SECRET not in lines.getvalue()
    rows = [json.loads(line) for line in lines.getvalue().splitlines()]
    requests = [row for row in rows if row["event"] == "request"]
    assert [row["status"] for row in requests] == [200, 422, 422, 422, 422, 404, 405, 500]
    assert requests[0] == requests[0] | {"method": "POST", "path": "/classify", "texts": 1, "level": "info"}
    assert requests[0]["tokens"] > 2
    assert requests[5]["path"] == "(unknown)"
    assert requests[6]["method"] == "(unknown)"
    failure = next(row for row in rows if row["event"] == "failure")
    assert failure["error"] == "RuntimeError"
    assert any("test_logs.py" in frame for frame in failure["frames"])
    assert failure["request_id"] == requests[7]["request_id"]


def test_other_loggers_speak_json_too(lines: io.StringIO) -> None:
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("uvicorn.error").exception("it broke")
    row = json.loads(lines.getvalue())
    assert (row["event"], row["message"], row["error"]) == ("uvicorn.error", "it broke", "ValueError")
    assert SECRET not in lines.getvalue()
