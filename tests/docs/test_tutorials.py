"""docs/tutorials is true: its commands and its Python run, its requests are answered."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import httpx
import pytest
from tests.docs.guide import GUIDE, run_guide
from tests.serving.asking import on_loopback

TUTORIALS = GUIDE.parent / "tutorials"


def test_search(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    _, found = run_guide("../tutorials/search.md", folder=tmp_path, capfd=capfd, monkeypatch=monkeypatch)
    assert "Unemployment is at its lowest level" in found.out.splitlines()[0]
    assert capfd.readouterr().out.splitlines()[-1] == "Oil prices fall as supply grows"


def test_serve(capsys: pytest.CaptureFixture[str]) -> None:
    page = (TUTORIALS / "serve.md").read_text(encoding="utf-8")
    [curl] = re.findall(r"^curl .*?(?=^```)", page, re.DOTALL | re.MULTILINE)
    words = shlex.split(curl.replace("\\\n", " "))
    [shown] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    [program] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    with on_loopback("classification") as url:
        body = json.loads(words[words.index("-d") + 1])
        answer = httpx.post(words[2].replace("http://127.0.0.1:8000", url), json=body).json()
        assert [list(one) for one in answer["results"]] == [list(one) for one in json.loads(shown)["results"]]
        exec(compile(program.replace("http://127.0.0.1:8000", url), "serve.md", "exec"), {})
    assert capsys.readouterr().out
