"""An exported page in a real browser, and the folder in transformers.js: both give Python's numbers and tokens.

Needs npm (and its registry), Playwright's Python package and a Chromium of the system.
"""

from __future__ import annotations

import functools
import http.server
import json
import random
import shutil
import subprocess
import tarfile
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.exporting.test_export import model
from tests.exporting.test_web import embedder
from tests.tiny import execution

from albertkit.exporting.export import export
from albertkit.exporting.web import MODES
from albertkit.hub import npm
from albertkit.inference.predictor import Predictor
from albertkit.models.loaded import HeadSpec, Model
from albertkit.tasks.classification import ClassificationTask
from albertkit.text.tokenizer import Tokenizer

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NPM = shutil.which("npm")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine"),
    pytest.mark.skipif(NPM is None, reason="there is no npm on this machine"),
    pytest.mark.filterwarnings("ignore"),  # the driver's own
]
WORDS = (
    "a small wonder of film, funny (1,234) and moving; caf\u00e9s don''t [MASK] <pad> \U0001f600 \u7535\u5f71".split()
)


def texts() -> list[str]:
    chosen = random.Random(5)
    return [" ".join(chosen.choices(WORDS, k=chosen.randint(1, 90))) for _ in range(40)]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the packages, from npm."""
    cache = tmp_path_factory.mktemp("cache")
    given = cache / "npm" / f"{npm.WEB_RUNTIME}-{npm.VERSION}"
    given.mkdir(parents=True)
    names = [f"onnxruntime-web@{npm.VERSION}", npm.TOKENIZERS]
    done = subprocess.run(["npm", "pack", *names], cwd=cache, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm has no registry: {done.stderr[-200:]}")
    for archive in cache.glob("*.tgz"):
        with tarfile.open(archive) as packed:
            for member in packed.getmembers():
                name = "tokenizers.LICENSE.txt" if member.name == "package/LICENSE" else Path(member.name).name
                if name in npm.FILES:
                    file = packed.extractfile(member)
                    assert file is not None
                    (given / name).write_bytes(file.read())
    return cache


@contextmanager
def exported(made: Model, folder: Path) -> Iterator[str]:
    export(made, folder, to="web")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(cache))
    opened = browser.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    yield opened
    assert problems == []
    opened.close()


@pytest.mark.parametrize("kind", ["cut", "windows", "multilabel", "regression"])
def test_classifiers(kind: str, page: Any, tmp_path: Path) -> None:
    made = model(kind if kind in ("multilabel", "regression") else "classification", head=HeadSpec(pooling="mean"))
    assert isinstance(made.task, ClassificationTask)
    if kind == "windows":
        made = replace(made, task=replace(made.task, temperature=1.7, window_stride=20, max_windows=3))
    with exported(made, tmp_path / "out") as address:
        page.goto(address)
        page.wait_for_selector("#classify")
        given: list[Any] = [*texts(), *zip(texts()[::2], texts()[1::2], strict=True)]
        asked = [one if isinstance(one, str) else {"text": one[0], "pair": one[1]} for one in given]
        found = page.evaluate("texts => albert.classify(texts)", asked)
        predictor = Predictor(made, execution=execution())
        expected = [predictor.predict([one])[0] for one in given]
        cut = [predictor.encode([made.task.example_of(*([one] if isinstance(one, str) else one))]) for one in given]
        assert [one["cut_tokens"] for one in found] == [sum(s.truncated for s in one.sequences) for one in cut]
        for one, other in zip(found, expected, strict=True):
            if kind == "regression":
                assert one["value"] == pytest.approx(other["value"], abs=0.02)
            else:
                assert one["probabilities"] == pytest.approx(other["probabilities"], abs=0.02)
        page.click("#classify button")
        page.wait_for_selector("#classify .big")


def test_vectors_and_pages_of_every_size(page: Any, tmp_path: Path) -> None:
    made = embedder()
    with exported(made, tmp_path / "out") as address:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.wait_for_selector("#compare")
        found = page.evaluate("async texts => (await albert.embed(texts)).map((one) => Array.from(one))", texts())
        expected = Predictor(made, execution=execution()).embed(texts())
        np.testing.assert_allclose(np.array(found), expected, atol=0.02)
        for width in (360, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            page.click("#compare button")
            page.wait_for_selector("#compare .big")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert "not sent anywhere" in page.inner_text("footer")
        assert all(url.startswith(address) for url in asked if not url.startswith("data:"))


def test_the_page_says_when_the_model_is_missing(page: Any, tmp_path: Path) -> None:
    with exported(model(), tmp_path / "out") as address:
        (tmp_path / "out" / "onnx" / "model.onnx").unlink()
        page.goto(address)
        page.wait_for_function("document.getElementById('facts').textContent.includes('cannot be loaded')")
        assert "onnx/model.onnx: the server answered 404" in page.inner_text("#facts")


@pytest.mark.parametrize("mode", MODES)
def test_tokens_are_pythons_for_every_character(mode: str, page: Any, tmp_path: Path) -> None:
    ours = Tokenizer(Tokenizer.official().model, mode=mode)
    unicode = [chr(code) for code in range(0x1FFFF) if not 0xD800 <= code < 0xE000]
    known = [one for one in unicode if unicodedata.category(one) not in ("Cn", "Co")]
    some = [one for one in known if one < "\u3100" or ord(one) % 7 == 0]
    given = [f"a{one}b {one}c" for one in some] + texts()
    with exported(replace(model(), tokenizer=ours), tmp_path / "out") as address:
        page.goto(address)
        page.wait_for_selector("#compare")
        found = page.evaluate("texts => texts.map((text) => albert.tokenize(text).ids)", given)
    wrong = [text for text, ids, other in zip(given, ours.ids_of(given), found, strict=True) if list(ids) != other]
    assert wrong == []


PROGRAM = """
import { pipeline, AutoModel, AutoTokenizer, env } from "@huggingface/transformers";
const [folder, text] = process.argv.slice(2);
env.allowRemoteModels = false;
env.localModelPath = folder + "/";
const classify = await pipeline("text-classification", "classifier");
const labels = await classify(text, { top_k: null });
const model = await AutoModel.from_pretrained("embedder");
const { sentence_embedding } = await model(await (await AutoTokenizer.from_pretrained("embedder"))([text]));
console.log(JSON.stringify({ labels, vector: Array.from(sentence_embedding.data) }));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on this machine")
def test_transformers_js_reads_the_folder(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(cache))
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "@huggingface/transformers@4.3.2"]
    done = subprocess.run(install, cwd=tmp_path, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install transformers.js: {done.stderr[-200:]}")
    classifier, vectors = model("classification"), embedder()
    export(classifier, tmp_path / "classifier", to="web")
    export(vectors, tmp_path / "embedder", to="web")
    (tmp_path / "read.mjs").write_text(PROGRAM)
    text = "a small wonder of a film"
    told = subprocess.run(
        ["node", "read.mjs", str(tmp_path), text], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout.splitlines()[-1])
    [expected] = Predictor(classifier, execution=execution()).predict([text])
    assert {one["label"]: one["score"] for one in found["labels"]} == pytest.approx(expected["probabilities"], abs=0.02)
    np.testing.assert_allclose(found["vector"], Predictor(vectors, execution=execution()).embed([text])[0], atol=0.02)
