"""A page for the browser: what is in its folder, and that Python reads the same network; the browser is elsewhere."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tests.exporting.test_export import Session, model
from tests.tiny import execution

from albertkit.batching.batch import Batch
from albertkit.checkpoints.dense import Dense
from albertkit.errors import CheckpointError, UsageError
from albertkit.exporting import web
from albertkit.exporting.difference import differences
from albertkit.exporting.export import export, onnx_model
from albertkit.graphs.graph import in_int12
from albertkit.hub.npm import FILES
from albertkit.inference.predictor import Predictor
from albertkit.models.loaded import EmbeddingSpec, HeadSpec, Model
from albertkit.tasks.classification import ClassificationTask
from albertkit.text.tokenizer import Tokenizer

TEXTS = ["a splendid film", "no", "cafés, (1,234) of them"]


@pytest.fixture
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the packages of npm."""
    folder = tmp_path / "npm"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_bytes(name.encode())
    (folder / "manifest.json").write_text("{}")
    monkeypatch.setattr(web, "fetch_web_runtime", lambda **_: folder)


def embedder() -> Model:
    made = model()
    weight = np.random.default_rng(3).normal(size=(7, made.config.hidden_size)).astype(np.float32)
    dense = Dense(weight, np.linspace(-1, 1, 7, dtype=np.float32), "tanh")
    return replace(made, embedding=EmbeddingSpec("mean", True, dense))


@pytest.mark.usefixtures("vendor")
def test_the_folder_of_a_classifier(tmp_path: Path) -> None:
    made = model("classification", head=HeadSpec(pooling="mean"))
    assert isinstance(made.task, ClassificationTask)
    made = replace(made, task=replace(made.task, temperature=1.5, window_stride=20), source="runs/films/model")
    done = export(made, tmp_path / "out", to="web")
    assert (done.files, done.precision) == (("onnx/model.onnx",), "int12")
    assert done.runtime_bytes == sum(map(len, FILES))
    found = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {
        "README.md", "index.html", "page/app.js", "page/style.css", "page/send.js", "page/albert.js",
        *(f"page/vendor/{name}" for name in FILES), "onnx/model.onnx", "config.json", "task.json", "export.json",
        "spiece.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    }  # fmt: skip
    said = json.loads((tmp_path / "out" / "export.json").read_text())["web"]
    assert said == {
        "model": "films", "task": "classification", "output": "logits", "labels": ["no", "maybe", "yes"],
        "max_length": 64, "needs_pair": False, "takes_pairs": True,
        "temperature": 1.5, "windows": {"stride": 20, "most": 8}, "cls_id": 2,
        "sep_id": 3,
    }  # fmt: skip
    assert json.loads((tmp_path / "out" / "config.json").read_text())["transformers.js_config"] == {"dtype": "fp32"}
    ours = Predictor(made, execution=execution()).predict(TEXTS)
    theirs = Predictor.load(tmp_path / "out").predict(TEXTS)
    for one, other in zip(ours, theirs, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=5e-3)


@pytest.mark.usefixtures("vendor")
def test_what_the_page_loads_is_in_the_folder(tmp_path: Path) -> None:
    export(model("classification"), tmp_path / "out", to="web")
    names = re.compile(r"""(?:href|src|from|fetch\(|import) ?=?["' ]*["']([\w./-]+\.(?:js|css|mjs|json|onnx))["']""")
    found = set()
    for place in ("index.html", "page/app.js", "page/send.js", "page/albert.js"):
        path = tmp_path / "out" / place
        for name in names.findall(path.read_text(encoding="utf-8")):
            assert (path.parent / name).is_file(), (place, name)
            found.add(name)
    assert found >= {"page/style.css", "page/app.js", "./send.js", "./albert.js", "./vendor/tokenizers.min.mjs"}


@pytest.mark.usefixtures("vendor")
@pytest.mark.parametrize("kind", ["declared", "bare", "similarity"])
def test_vectors_are_those_of_embed(kind: str, tmp_path: Path) -> None:
    made = {
        "declared": embedder,
        "bare": model,
        "similarity": lambda: model("similarity", head=HeadSpec((), "none", "mean")),
    }[kind]()
    export(made, tmp_path / "out", to="web", precision="fp32")
    run = Session(onnx.load(tmp_path / "out" / "onnx" / "model.onnx"))
    batch = Batch.pack(made.tokenizer.sequences(TEXTS, max_length=64))
    found = run.run(batch, outputs=["sentence_embedding", "last_hidden_state", "sequence_output"])
    predictor = Predictor(made, execution=execution())
    np.testing.assert_allclose(found["sentence_embedding"], predictor.embed(TEXTS), atol=1e-4)
    np.testing.assert_array_equal(found["last_hidden_state"], found["sequence_output"])
    np.testing.assert_allclose(Predictor.load(tmp_path / "out").embed(TEXTS), predictor.embed(TEXTS), atol=1e-4)


def test_wrong_vectors_are_seen() -> None:
    made = embedder()
    right = Session(onnx_model(made, vectors=True))
    assert max(one.largest for one in differences(made, right, execution=execution(), vectors=True)) < 1e-4
    other = replace(made, embedding=replace(made.vectors, normalize=False))
    found = differences(other, right, execution=execution(), vectors=True)
    assert max(found, key=lambda one: one.largest).output == "sentence_embedding"


@pytest.mark.parametrize("task", ["token_classification", "question_answering", "multiple_choice"])
def test_other_tasks_are_refused(task: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"classifies or embeds, and this model does {task}; export it --to onnx"):
        export(model(task), tmp_path / "out", to="web")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "told"), [({"mode": "keras"}, "is in the mode keras"), ({"keep_accents": True}, "keeps accents")]
)
def test_tokenizers_that_javascript_does_not_reproduce_are_refused(
    settings: dict[str, Any], told: str, tmp_path: Path
) -> None:
    made = replace(model(), tokenizer=Tokenizer(Tokenizer.official().model, **settings))
    with pytest.raises(UsageError, match=f"its tokenizer {told}, and JavaScript's gives other ids"):
        export(made, tmp_path / "out", to="web")


def test_texts_by_sentence_are_refused(tmp_path: Path) -> None:
    made = model("classification")
    assert isinstance(made.task, ClassificationTask)
    by_sentence = replace(made, task=replace(made.task, by_sentence=True))
    with pytest.raises(UsageError, match="reads texts by sentence, and the page does not; export it --to onnx"):
        export(by_sentence, tmp_path / "out", to="web")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("vendor")
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    export(model("classification"), tmp_path / "out", to="web")
    record = tmp_path / "out" / "export.json"
    said = json.loads(record.read_text())
    for name in ("../x", "onnx/../../x", "/x", "onnx//model.onnx"):
        record.write_text(json.dumps({**said, "files": {name: said["files"]["onnx/model.onnx"]}}))
        with pytest.raises(CheckpointError, match="which is not a name in its folder"):
            Predictor.load(tmp_path / "out")


def test_twelve_bits_hold_numbers_of_both_signs() -> None:
    rows = np.array([[-2047, 2047, -1, 0], [15, 16, -16, -17], [0, 0, 0, 0]], np.float32)
    high, low, scale = in_int12(rows)
    assert (high.dtype, low.shape) == (np.int8, (3, 2))
    lower = np.concatenate([low >> 4, low & 15], axis=1)
    whole = (high.astype(np.int64) * 16 + lower) * scale[:, None]
    np.testing.assert_allclose(whole, rows, atol=17 / 2047 / 2)


@pytest.mark.parametrize("width", [12, 13])
def test_word_embeddings_in_twelve_bits(width: int) -> None:
    made = model("classification", embedding_size=width)
    packed = onnx_model(made, precision="int12")
    stored = {tensor.name: tensor for tensor in packed.graph.initializer}
    assert ("embeddings.word.weight.low" in stored) == (width == 12)  # an odd width stays fp16
    found = differences(made, Session(packed), execution=execution())
    assert max(one.share for one in found) < 1e-2
