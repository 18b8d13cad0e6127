"""Exports: every shape of network and head equals torch, weights are there once, damaged folders are refused."""

from __future__ import annotations

import builtins
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from tests.tiny import CONFIG, execution

from albertkit.batching.batch import Batch
from albertkit.data.examples import TextExample
from albertkit.encoder.encoder import Encoder
from albertkit.errors import AlbertkitError, CheckpointError, MissingExtraError, UsageError
from albertkit.exporting import export as module
from albertkit.exporting.difference import differences, sample, vector_cosine
from albertkit.exporting.export import ExportError, export, onnx_model
from albertkit.inference.exported import RUNTIMES
from albertkit.inference.padded import run_padded
from albertkit.inference.predictor import Predictor
from albertkit.models.loaded import EmbeddingSpec, HeadSpec, Model
from albertkit.models.pretrained import save_model, with_task_head
from albertkit.tasks.network import Network
from albertkit.text.tokenizer import Tokenizer

pytestmark = pytest.mark.usefixtures("unlimited_openvino")

SMALL = replace(CONFIG, num_hidden_layers=4, num_hidden_groups=1)
LABELS = {
    "classification": ("no", "maybe", "yes"),
    "regression": (),
    "multilabel": ("a", "b"),
    "token_classification": ("O", "B-X", "I-X"),
    "multiple_choice": (),
    "question_answering": (),
    "question_answering_v2": (),
    "similarity": (),
}


def model(task: str | None = None, *, head: HeadSpec | None = None, seed: int = 5, **changes: Any) -> Model:
    """A tiny network with weights, biases and statistics that are all other than 0 and 1."""
    torch.manual_seed(seed)
    made = Model(Network(Encoder(replace(SMALL, **changes)), {}), Tokenizer.official(), max_length=64, source="tiny")
    if task is not None:
        made = with_task_head(made, task=task, labels=LABELS[task], head=head)
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for name, tensor in made.network.state_dict().items():
            if tensor.is_floating_point() and tensor.ndim == 1:
                low, high = (0.5, 1.5) if name.endswith(("norm.weight", "running_var")) else (-0.4, 0.4)
                tensor.copy_(torch.from_numpy(random.uniform(low, high, tensor.shape)))
    return made


class Session:
    """An onnx model run by ONNX Runtime, without a folder."""

    def __init__(self, made: Any) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(made.SerializeToString(), options)

    def run(self, batch: Batch, *, outputs: Any) -> dict[str, Any]:
        names = list(outputs)
        return run_padded(
            batch, lambda feed, _: dict(zip(names, self.session.run(names, dict(feed)), strict=True)), outputs=names
        )


def assert_equal(made: Model, *, loop: bool = True) -> None:
    found = differences(made, Session(onnx_model(made, loop=loop)), execution=execution())
    assert max(one.largest for one in found) < 1e-4, found


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
@pytest.mark.parametrize(("groups", "inner"), [(1, 1), (2, 1), (3, 2), (4, 1)])
def test_every_shape_of_encoder(activation: str, groups: int, inner: int) -> None:
    made = model(hidden_act=activation, num_hidden_groups=groups, inner_group_num=inner)
    assert_equal(made)
    if activation == "gelu":
        assert_equal(made, loop=False)


def test_equal_widths_have_no_projection() -> None:
    assert_equal(model("classification", embedding_size=16))


@pytest.mark.parametrize("pooling", ["pooler", "cls", "mean"])
@pytest.mark.parametrize(("hidden", "norm"), [((), "none"), ((7, 5), "none"), ((7, 5), "batch")])
def test_classifiers(pooling: str, hidden: tuple[int, ...], norm: str) -> None:
    assert_equal(model("classification", head=HeadSpec(hidden, norm, pooling)))


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression", "multiple_choice"])
def test_heads_on_two_texts(task: str) -> None:
    assert_equal(model(task, head=HeadSpec(pooling="pair")))


def test_an_exported_head_on_two_texts_refuses_one(tmp_path: Path) -> None:
    export(model("classification", head=HeadSpec(pooling="pair")), tmp_path / "made")
    predictor = Predictor.load(tmp_path / "made")
    assert len(predictor.predict([("a text", "another")])) == 1
    with pytest.raises(UsageError, match="compares two texts: give a second text with each"):
        predictor.predict(["a text"])


@pytest.mark.parametrize("task", sorted(LABELS))
def test_every_task(task: str) -> None:
    made = model(task, head=HeadSpec(pooling="mean") if task == "similarity" else None)
    assert_equal(made)


def test_the_answer_head_takes_windows_shorter_than_its_beams() -> None:
    made = model("question_answering_v2")
    batch = Batch.pack(made.tokenizer.sequences(["a"], ["b"], max_length=64))
    assert batch.tokens == 5
    found = Session(onnx_model(made)).run(batch, outputs=["logits"])["logits"]
    expected = Predictor(made, execution=execution()).runtime.run(batch, outputs=["logits"])["logits"]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_padding_says_nothing_and_is_zero() -> None:
    made = onnx_model(model("token_classification"))
    run = Session(made).session.run
    ids = np.array([[2, 48, 25, 3, 9, 9]])
    feeds = {"input_ids": ids, "attention_mask": np.array([[1, 1, 1, 1, 0, 0]]), "token_type_ids": np.zeros_like(ids)}
    padded = run(["sequence_output", "logits"], feeds)
    alone = run(["sequence_output", "logits"], {name: value[:, :4] for name, value in feeds.items()})
    np.testing.assert_allclose(padded[0][:, :4], alone[0], atol=1e-6)
    np.testing.assert_allclose(padded[1][:, :4], alone[1], atol=1e-6)
    assert not padded[0][:, 4:].any()


POOLINGS = {"classification", "regression", "multilabel", "multiple_choice", "similarity"}
"""Tasks whose head reads one vector of each row."""


@pytest.mark.parametrize(
    ("task", "to"),
    [
        *((task, "onnx") for task in sorted(LABELS)),
        ("classification", "openvino"),
        ("question_answering_v2", "openvino"),
    ],
)
def test_a_row_of_padding_is_numbers_and_leaves_the_others_as_they_are(task: str, to: str, tmp_path: Path) -> None:
    made = model(task, head=HeadSpec(pooling="mean" if task in POOLINGS else "pooler"))
    if to == "onnx":
        session = Session(onnx_model(made)).session

        def run(feeds: dict[str, Any]) -> list[Any]:
            return list(session.run(["sequence_output", "pooled_output", "logits"], feeds))
    else:
        export(made, tmp_path / "made", to=to)
        compiled = Predictor.load(tmp_path / "made", execution=execution()).runtime.file.opened  # type: ignore[attr-defined]  # of an OpenVINO runtime only

        def run(feeds: dict[str, Any]) -> list[Any]:
            found = compiled(feeds)
            return [found[name].copy() for name in ("sequence_output", "pooled_output", "logits")]

    ids = np.array([[2, 48, 25, 3, 9, 3, 0], [2, 48, 3, 9, 3, 0, 0], [0, 0, 0, 0, 0, 0, 0]])
    kinds = np.array([[0, 0, 0, 0, 1, 1, 0], [0, 0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0]])
    feeds = {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int64), "token_type_ids": kinds}
    whole = run(feeds)
    without = run({name: rows[:2] for name, rows in feeds.items()})
    for one, other in zip(whole, without, strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one[:2], other, rtol=0, atol=1e-5)


def test_shared_weights_stand_once_under_canonical_names() -> None:
    made = onnx_model(model("classification", num_hidden_layers=12))
    onnx.checker.check_model(made, full_check=True)
    names = [tensor.name for tensor in made.graph.initializer]
    assert names.count("groups.0.layers.0.attention.query.weight") == 1
    assert {"embeddings.word.weight", "groups.0.layers.0.ffn.up.bias", "heads.classifier.weight"} <= set(names)
    assert [entry.version for entry in made.opset_import] == [20]


@pytest.fixture(scope="module")
def original() -> Model:
    return model("classification", num_hidden_layers=12, head=HeadSpec((7,), "batch", "mean"))


@pytest.fixture(scope="module", params=["onnx", "openvino"])
def made(request: pytest.FixtureRequest, original: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param) / "made"
    done = export(original, folder, to=request.param)
    assert done.max_difference < 1e-4
    assert done.bytes == sum((folder / name).stat().st_size for name in done.files)
    return folder


TEXTS = ["a splendid film", "no", "so dreadful that we left the cinema in the middle of it all", "Is it? It is."]


def test_a_folder_predicts_and_embeds_as_the_model_does(made: Path, original: Model, tmp_path: Path) -> None:
    folder = shutil.copytree(made, tmp_path / "moved")
    ours = Predictor(original, execution=execution())
    theirs = Predictor.load(folder, execution=execution())
    assert theirs.labels == ours.labels
    assert (theirs.model.max_length, theirs.model.head) == (64, original.head)
    examples = [TextExample(text) for text in TEXTS]
    np.testing.assert_allclose(theirs.logits(examples), ours.logits(examples), atol=1e-4)
    assert [row["label"] for row in theirs.predict(TEXTS)] == [row["label"] for row in ours.predict(TEXTS)]
    for pooling in ("mean", "cls", "pooler"):
        np.testing.assert_allclose(theirs.embed(TEXTS, pooling=pooling), ours.embed(TEXTS, pooling=pooling), atol=1e-4)


def test_the_network_is_hardly_larger_than_its_weights(made: Path, original: Model, tmp_path: Path) -> None:
    shape = {"embedding_size": 32, "hidden_size": 256, "intermediate_size": 1024}
    wide = replace(SMALL, num_hidden_layers=12, initializer_range=0.02, **shape)
    large = replace_network(original, Network(Encoder(wide), {}))
    save_model(large, tmp_path / "saved")
    kind = "onnx" if (made / "model.onnx").is_file() else "openvino"
    done = export(large, tmp_path / "made", to=kind)
    assert done.bytes <= 1.15 * (tmp_path / "saved" / "model.safetensors").stat().st_size
    half = export(large, tmp_path / "half", to=kind, precision="fp16")
    assert half.bytes < 0.6 * done.bytes
    assert 1e-6 < half.max_difference < 5e-2
    whole_numbers = export(large, tmp_path / "int8", to=kind, precision="int8")
    assert whole_numbers.bytes < 0.4 * done.bytes
    assert 1e-5 < whole_numbers.max_difference < 0.2
    texts = ["a splendid film", "no"]
    original_vectors = Predictor(large, execution=execution()).embed(texts)
    found = Predictor.load(tmp_path / "int8", execution=execution()).embed(texts)
    cosines = (
        (found * original_vectors).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(original_vectors, axis=1)
    )
    assert cosines.min() > 0.99


def test_what_the_caller_does_not_accept_is_not_kept(original: Model, tmp_path: Path) -> None:
    seen = []

    def refuse(exported: Predictor) -> None:
        seen.append(exported.predict(TEXTS[:1])[0]["label"])
        raise UsageError("not good enough")

    with pytest.raises(UsageError, match="not good enough"):
        export(original, tmp_path / "made", precision="int8", accept=refuse)
    assert seen
    assert list(tmp_path.iterdir()) == []


def test_vectors_that_are_too_far_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedding = replace(model(), embedding=EmbeddingSpec("mean", normalize=True))
    export(embedding, tmp_path / "kept")
    runtime = RUNTIMES["onnx"](tmp_path / "kept" / "model.onnx", execution=execution())
    assert vector_cosine(embedding, runtime, execution=execution()) > 0.99999
    assert vector_cosine(replace(model(seed=6), embedding=embedding.embedding), runtime, execution=execution()) < 0.9
    monkeypatch.setattr(module, "LEAST_COSINE", 1.1)
    with pytest.raises(
        ExportError, match=r"--precision int8 the vectors have a mean cosine of [01]\.\d\d .*fp16 or int12"
    ):
        export(embedding, tmp_path / "made", precision="int8")
    assert not (tmp_path / "made").exists()
    with pytest.raises(ExportError, match="mean cosine"):
        export(model("similarity"), tmp_path / "made")
    export(model("classification"), tmp_path / "classes", precision="int8")  # whose vectors are not its job
    export(model("similarity"), tmp_path / "accepted", accept=lambda _: None)  # labelled data said that they will do


def replace_network(like: Model, network: Network) -> Model:
    return Model(network, like.tokenizer, max_length=64, source="wide")


@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_a_bare_encoder_embeds_and_says_that_it_cannot_predict(to: str, tmp_path: Path) -> None:
    bare = model()
    export(bare, tmp_path / "bare", to=to)
    loaded = Predictor.load(tmp_path / "bare", execution=execution())
    np.testing.assert_allclose(loaded.embed(TEXTS), Predictor(bare, execution=execution()).embed(TEXTS), atol=1e-4)
    with pytest.raises(UsageError, match="no task head; fine-tune it first"):
        loaded.predict("text")


@pytest.mark.parametrize("limit", ["AVX2", "avx2", "AVX", "SSE41", "AVX2_VNNI"])
def test_openvino_is_not_run_where_it_would_crash(limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    with pytest.raises(UsageError, match=f"OpenVINO crashes where ONEDNN_MAX_CPU_ISA is {limit}; unset it"):
        export(model("classification"), tmp_path / "made", to="openvino")
    assert list(tmp_path.iterdir()) == []


def test_openvino_runs_the_answer_head(tmp_path: Path) -> None:
    assert export(model("question_answering_v2"), tmp_path / "made", to="openvino").max_difference < 1e-4


def test_an_exported_model_is_not_trained(made: Path) -> None:
    predictor = Predictor.load(made, execution=execution())
    with pytest.raises(UsageError, match="an exported model, which can only predict, embed and evaluate"):
        predictor.replace_head(labels=("a", "b"))


def test_damaged_and_missing_files_are_named(made: Path, tmp_path: Path) -> None:
    record = json.loads((made / "export.json").read_text())
    name = list(record["files"])[-1]

    def broken(number: int) -> Path:
        return shutil.copytree(made, tmp_path / str(number))

    folder = broken(1)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged"):
        Predictor.load(folder, execution=execution())
    folder = broken(2)
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match="the file is missing"):
        Predictor.load(folder, execution=execution())
    for number, changes in enumerate(
        ({"format_version": 9}, {"format_version": None}, {"runtime": "abacus"}, {"files": {"../x": {}}}), start=3
    ):
        folder = broken(number)
        (folder / "export.json").write_text(json.dumps(record | changes))
        with pytest.raises(CheckpointError, match=r"export\.json"):
            Predictor.load(folder, execution=execution())


def test_a_shape_or_labels_that_cannot_be(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(made, folder)
    path = folder / "config.json"
    kept = json.loads(path.read_text())
    for changes, words in (
        ({"num_hidden_layers": 10**6}, "num_hidden_layers is 1000000, not a whole number from 1 to 1000"),
        (
            {"id2label": {"0": "yes", "1": "maybe", "2": "no"}},
            "task.json names the labels no, maybe, yes, and config.json",
        ),
        ({"id2label": {"0": "yes", "1": None, "2": "no"}}, "id2label: the name of output 1 is None"),
    ):
        path.write_text(json.dumps({**kept, **changes}))
        with pytest.raises(AlbertkitError, match=words):
            Predictor.load(folder)


def test_a_file_that_the_runtime_cannot_read_is_one_sentence(made: Path, tmp_path: Path) -> None:
    from albertkit.inference.exported import RUNTIMES

    kind = json.loads((made / "export.json").read_text())["runtime"]
    path = tmp_path / ("model.onnx" if kind == "onnx" else "model.xml")
    path.write_bytes(b"\x08\x07 not a network")
    with pytest.raises(CheckpointError, match="cannot read it"):
        RUNTIMES[kind](path, execution=execution())


def test_refusals_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = model()
    with pytest.raises(UsageError, match='unknown export format "onx"; did you mean "onnx"'):
        export(made, tmp_path / "out", to="onx")
    with pytest.raises(UsageError, match='unknown precision "int4"'):
        export(made, tmp_path / "out", precision="int4")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="not an empty folder"):
        export(made, tmp_path / "full")
    monkeypatch.setattr(module, "LIMITS", {"fp32": 0.0})
    with pytest.raises(ExportError, match=r"differs by .* it was deleted"):
        export(made, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_a_head_without_onnx_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = model("classification")
    assert made.task is not None
    monkeypatch.setattr(type(made.task), "onnx_head", "")
    with pytest.raises(UsageError, match="the head of classification cannot be exported"):
        onnx_model(made)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Names put in here cannot be imported."""
    missing: set[str] = set()
    real = builtins.__import__
    import importlib

    real_module = importlib.import_module

    def fail(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] in missing:
            raise ImportError(name)
        return real(name, *rest, **more)

    def fail_module(name: str, *rest: Any) -> Any:
        if name in missing:
            raise ImportError(name)
        return real_module(name, *rest)

    monkeypatch.setattr(builtins, "__import__", fail)
    monkeypatch.setattr(importlib, "import_module", fail_module)
    yield missing
    missing.clear()


@pytest.mark.parametrize(
    ("library", "to", "extra"), [("onnxruntime", "onnx", "onnx"), ("openvino", "openvino", "openvino")]
)
def test_a_missing_library_is_named(without: set[str], library: str, to: str, extra: str, tmp_path: Path) -> None:
    without.add(library)
    with pytest.raises(MissingExtraError, match=rf"needs {library}.*albertkit\[{extra}\]"):
        export(model(), tmp_path / "out", to=to)
    assert not list(tmp_path.iterdir())


def test_a_missing_onnx_is_named(without: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith(("albertkit.exporting.", "albertkit.graphs."))]:
        if name.rpartition(".")[2] in ("graph", "encoder", "heads"):
            monkeypatch.delitem(sys.modules, name)
    without.add("onnx")
    with pytest.raises(MissingExtraError, match=r"an export needs onnx.*albertkit\[onnx\]"):
        onnx_model(model())


def test_the_sample_has_texts_of_many_lengths_and_pairs() -> None:
    found = sample(model())
    assert len(found) == 12
    assert len({len(one) for one in found}) > 5
    assert any(one.token_type_ids.any() for one in found)
    assert issubclass(ExportError, AlbertkitError)
