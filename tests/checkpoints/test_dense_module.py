"""A Dense module after the pooling: read, applied, saved and converted; vectors against torch's own linear map."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.checkpoints.sentence_folders import (
    LONG,
    OUT,
    TEXTS,
    by_hand,
    dense_model,
    flags,
    folder_of,
    replayed,
    tensors_of,
    write,
)
from tests.tiny import execution, tiny_folder

from albertkit.checkpoints import ReadOptions, read_checkpoint
from albertkit.errors import CheckpointError
from albertkit.estimators import AlbertEmbedder
from albertkit.exporting.export import export
from albertkit.inference.predictor import Predictor
from albertkit.models.conversion import convert
from albertkit.models.loaded import EmbeddingSpec, FreshWeightsWarning, HeadSpec
from albertkit.models.pretrained import load_model, save_model, with_task_head

IDENTITY, TANH = "torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Tanh"


def dense_folder(
    place: Path, *, activation: str = IDENTITY, pooling: str = "mean_tokens", normalize: bool = False, **made: Any
) -> Path:
    """A folder of sentence-transformers with a Dense module after the pooling."""
    folder = folder_of(place, pooling=flags(pooling), normalize=normalize)
    rows = json.loads((folder / "modules.json").read_text())
    rows.insert(2, {"path": "2_Dense", "type": "sentence_transformers.models.Dense"})
    write(folder / "modules.json", [{**row, "idx": number, "name": str(number)} for number, row in enumerate(rows)])
    (folder / "2_Dense").mkdir()
    tensors = tensors_of(**made)
    save_file(tensors, folder / "2_Dense" / "model.safetensors")
    settings = {"in_features": 16, "out_features": OUT, "bias": "linear.bias" in tensors}
    write(folder / "2_Dense" / "config.json", {**settings, "activation_function": activation})
    return folder


def mapped(pooled: np.ndarray, *, activation: str, normalize: bool = False, **made: Any) -> np.ndarray:
    tensors = {name: tensor.float() for name, tensor in tensors_of(**made).items()}
    vectors = torch.nn.functional.linear(
        torch.from_numpy(pooled).float(), tensors["linear.weight"], tensors.get("linear.bias")
    )
    vectors = torch.tanh(vectors) if activation == TANH else vectors
    found: np.ndarray = (torch.nn.functional.normalize(vectors, dim=1) if normalize else vectors).numpy()
    return found


@pytest.mark.parametrize(
    ("activation", "pooling", "normalize", "made"),
    [
        (IDENTITY, "mean", False, {}),
        (TANH, "mean", True, {"bias": False}),
        (TANH, "cls", False, {"dtype": torch.float16}),
        ("torch.nn.Identity", "cls", True, {"dtype": torch.bfloat16}),
    ],
)
def test_vectors_are_the_mapped_ones(
    activation: str, pooling: str, normalize: bool, made: dict[str, Any], tmp_path: Path
) -> None:
    mode = f"{pooling}_token{'s' if pooling == 'mean' else ''}"
    folder = dense_folder(tmp_path / "st", activation=activation, pooling=mode, normalize=normalize, **made)
    pooled = by_hand(folder, pooling=pooling, normalize=False, length=9)
    expected = mapped(pooled, activation=activation, normalize=normalize, **made)
    predictor = Predictor.load(folder, execution=execution())
    assert (predictor.default_pooling, predictor.dimensions()) == (pooling, OUT)
    np.testing.assert_allclose(predictor.embed(TEXTS), expected, atol=5e-5)
    assert predictor.embed([]).shape == (0, OUT)
    np.testing.assert_array_equal(predictor.embed(TEXTS, pooling=pooling), predictor.embed(TEXTS))
    # Another pooling than the declared one is what it would be without the map.
    other = "cls" if pooling == "mean" else "mean"
    raw = by_hand(folder, pooling=other, normalize=normalize, length=9)
    np.testing.assert_allclose(predictor.embed(TEXTS, pooling=other), raw, atol=5e-5)
    assert predictor.embed([], pooling=other).shape == (0, 16)


def test_older_weights_are_read_without_unpickling(tmp_path: Path) -> None:
    folder = dense_folder(tmp_path / "st")
    expected = Predictor.load(folder, execution=execution()).embed(TEXTS)
    (folder / "2_Dense" / "model.safetensors").unlink()
    torch.save(tensors_of(), folder / "2_Dense" / "pytorch_model.bin")
    np.testing.assert_array_equal(Predictor.load(folder, execution=execution()).embed(TEXTS), expected)
    (folder / "2_Dense" / "pytorch_model.bin").write_bytes(pickle.dumps({"linear.weight": Path}))
    with pytest.raises(CheckpointError, match=r"2_Dense/pytorch_model\.bin: .*refused"):
        read_checkpoint(folder)


@pytest.mark.parametrize(("activation", "normalize"), [(IDENTITY, True), (TANH, False)])
def test_they_stay_so_in_whatever_is_made_of_the_folder(activation: str, normalize: bool, tmp_path: Path) -> None:
    folder = dense_folder(tmp_path / "st", activation=activation, normalize=normalize)
    predictor = Predictor.load(folder, execution=execution())
    expected = predictor.embed(LONG)
    convert(folder, tmp_path / "converted")
    save_model(predictor.model, tmp_path / "saved")
    for place in (tmp_path / "converted", tmp_path / "saved"):
        np.testing.assert_array_equal(Predictor.load(place, execution=execution()).embed(LONG), expected)
        np.testing.assert_allclose(replayed(place, LONG), expected, atol=1e-5)
    declared = read_checkpoint(tmp_path / "saved").task
    (tmp_path / "saved" / "task.json").unlink()
    assert read_checkpoint(tmp_path / "saved").task == declared == {
        "embedding": {"pooling": "mean", "normalize": normalize, "dense": True}, "max_length": 9,
    }  # fmt: skip
    save_model(predictor.model, tmp_path / "half", dtype=torch.float16)
    found = Predictor.load(tmp_path / "half", execution=execution()).embed(LONG)
    np.testing.assert_allclose(found, expected, atol=2e-2)
    assert (tmp_path / "half" / "2_Dense").is_dir()
    save_model(load_model(tiny_folder()), tmp_path / "saved")
    assert not (tmp_path / "saved" / "2_Dense").exists()


def test_copies_and_pickles_keep_the_map(tmp_path: Path) -> None:
    save_model(dense_model(), tmp_path / "saved")
    predictor = Predictor(dense_model(), execution=execution())
    expected = predictor.embed(TEXTS)
    # Bytes that were made here: users and their joblib do this, too.
    for other in (copy.deepcopy(predictor), pickle.loads(pickle.dumps(predictor))):
        np.testing.assert_array_equal(other.embed(TEXTS), expected)
    fitted = AlbertEmbedder(str(tmp_path / "saved"), threads=1).fit(TEXTS)
    again = pickle.loads(pickle.dumps(fitted))
    assert len(again.get_feature_names_out()) == OUT
    np.testing.assert_allclose(again.transform(TEXTS), fitted.transform(TEXTS), atol=1e-6)
    assert again.transform(TEXTS).shape == (3, OUT)
    raw = AlbertEmbedder(str(tmp_path / "saved"), pooling="cls", threads=1).fit(TEXTS)
    assert (len(raw.get_feature_names_out()), raw.transform(TEXTS).shape[1]) == (16, 16)


@pytest.mark.usefixtures("unlimited_openvino")
@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_an_export_gives_the_mapped_vectors(to: str, tmp_path: Path) -> None:
    pytest.importorskip({"onnx": "onnxruntime"}.get(to, to))
    model = dense_model()
    model.embedding = EmbeddingSpec("mean", normalize=True, dense=replace(model.embedding.dense, activation="tanh"))
    made = export(model, tmp_path / "exported", to=to)
    assert "dense.npy" in made.files
    assert not (tmp_path / "exported" / "2_Dense").exists()
    expected = Predictor(model, execution=execution()).embed(TEXTS)
    assert expected.shape == (3, OUT)
    np.testing.assert_allclose(Predictor.load(tmp_path / "exported").embed(TEXTS), expected, atol=1e-4)


def test_an_export_whose_map_is_not_its_own_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    folder = tmp_path / "exported"
    export(dense_model(), folder)
    record = json.loads((folder / "export.json").read_text())

    def refuses(words: str, **changes: Any) -> None:
        write(folder / "export.json", {**record, **changes})
        with pytest.raises(CheckpointError, match=words):
            Predictor.load(folder)

    refuses('cannot be read as a Dense map .*activation "relu"', dense_activation="relu")
    refuses('cannot be read as a Dense map .*activation "\\[1\\]"', dense_activation=[1])
    kept = {name: entry for name, entry in record["files"].items() if name != "dense.npy"}
    refuses("says that a Dense module follows the pooling, and the other files hold none", files=kept)
    np.save(folder / "dense.npy", np.zeros((2, 17), np.float32))
    refuses(r"dense\.npy: is damaged")


def test_a_classifier_has_no_map(tmp_path: Path) -> None:
    trained = with_task_head(dense_model(), task="classification", labels=("a", "b"), head=HeadSpec(pooling="mean"))
    save_model(trained, tmp_path / "run" / "model")
    assert not (tmp_path / "run" / "model" / "2_Dense").exists()
    predictor = Predictor.load(tmp_path / "run", execution=execution())
    expected = by_hand(tmp_path / "run" / "model", pooling="mean", normalize=False, length=9)
    np.testing.assert_allclose(predictor.embed(TEXTS), expected, atol=2e-5)


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_a_model_of_similarity_keeps_the_map_and_compares_by_it(activation: str, tmp_path: Path) -> None:
    trained = with_task_head(dense_model(activation), task="similarity", labels=(), head=HeadSpec(pooling="mean"))
    save_model(trained, tmp_path / "saved")
    loaded = Predictor.load(tmp_path / "saved", execution=execution())
    vectors = loaded.embed(TEXTS[:2])
    first, second = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert vectors.shape == (2, OUT)
    for model in (trained, loaded.model):
        (found,) = Predictor(model, execution=execution()).predict([(TEXTS[0], TEXTS[1])])
        assert found["similarity"] == pytest.approx(float(first @ second), abs=1e-5)
    export(loaded.model, tmp_path / "exported")
    exported = Predictor.load(tmp_path / "exported")
    (found,) = exported.predict([(TEXTS[0], TEXTS[1])])
    assert found["similarity"] == pytest.approx(float(first @ second), abs=1e-5)
    np.testing.assert_allclose(exported.embed(TEXTS[:2]), vectors, atol=1e-5)


def test_another_pooling_than_the_declared_one_is_compared_without_the_map() -> None:
    trained = with_task_head(dense_model(), task="similarity", labels=(), head=HeadSpec(pooling="cls"))
    assert (trained.head.dense, trained.embedding) == (None, None)


@pytest.mark.parametrize("to", ["tf1", "bson", "keras"])
def test_a_format_without_a_place_for_it_says_so(to: str, tmp_path: Path) -> None:
    save_model(dense_model(), tmp_path / "saved")
    target = tmp_path / ("m.bson" if to == "bson" else "m")
    told = convert(tmp_path / "saved", target, to=to, options=ReadOptions(activation="gelu_new")).notes
    assert any(note.startswith(f"{to} cannot store the Dense map of the vectors") for note in told)
    assert Predictor(load_model(target), execution=execution()).embed(TEXTS).shape == (3, 16)


def test_a_dense_module_that_is_not_the_pooler_follows_the_first_token(tmp_path: Path) -> None:
    model = replace(load_model(tiny_folder()), embedding=EmbeddingSpec("pooler"), max_length=9)
    save_model(model, tmp_path / "saved")
    (tmp_path / "saved" / "task.json").unlink()
    path = tmp_path / "saved" / "2_Dense" / "model.safetensors"
    save_file({name: tensor + 1 for name, tensor in load_file(path).items()}, path)
    found = load_model(tmp_path / "saved")
    assert found.embedding is not None
    assert (found.embedding.pooling, found.embedding.dense is not None) == ("cls", True)
    vectors = Predictor(found, execution=execution()).embed(LONG)
    np.testing.assert_allclose(vectors, replayed(tmp_path / "saved", LONG), atol=1e-5)


def test_a_map_of_the_pooler_s_output_is_a_second_module(tmp_path: Path) -> None:
    model = dense_model()
    model.embedding = replace(model.embedding, pooling="pooler")
    save_model(model, tmp_path / "saved")
    assert (tmp_path / "saved" / "3_Dense").is_dir()
    (tmp_path / "saved" / "task.json").unlink()
    predictor = Predictor.load(tmp_path / "saved", execution=execution())
    assert predictor.default_pooling == "pooler"
    np.testing.assert_allclose(predictor.embed(LONG), replayed(tmp_path / "saved", LONG), atol=1e-5)
    raw = predictor.embed(LONG, pooling="cls")
    assert raw.shape == (5, 16)


@pytest.mark.parametrize("activation", [IDENTITY, TANH])
def test_the_library_itself_gives_our_vectors(activation: str, tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    folder = dense_folder(tmp_path / "st", activation=activation, normalize=True, dtype=torch.float16)
    save_model(load_model(folder), tmp_path / "saved")
    for place in (folder, tmp_path / "saved"):
        model = library.SentenceTransformer(str(place), device="cpu")
        expected = Predictor.load(place, execution=execution()).embed(LONG)
        np.testing.assert_allclose(model.encode(LONG), expected, atol=1e-5)
    model.save(str(tmp_path / "theirs"))
    with pytest.warns(FreshWeightsWarning, match=r"holds no spiece\.model; the official"):
        found = Predictor.load(tmp_path / "theirs", execution=execution())
    np.testing.assert_allclose(found.embed(LONG), expected, atol=1e-5)


CONFIG = {"in_features": 16, "out_features": OUT, "bias": True, "activation_function": IDENTITY}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            {"activation_function": "torch.nn.modules.activation.GELU"},
            'GELU", and albertkit computes',
        ),
        ({"activation_function": "elsewhere.Tanh"}, 'the activation_function is "elsewhere.Tanh"'),
        ({"activation_function": ["Tanh"]}, "the activation_function is"),
        (
            {"module_input_name": "token_embeddings"},
            'module_input_name is "token_embeddings", not "sentence_embedding"',
        ),
        ({"module_output_name": "other"}, 'module_output_name is "other"'),
        ({"use_residual": True}, "use_residual adds the vector to its map"),
        ({"in_features": "16"}, "needs in_features and out_features, two whole numbers"),
        ({"bias": 1}, "and bias, true or false"),
        (
            {"bias": False},
            r"holds linear.bias \[11\], linear.weight \[11, 16\], where config.json asks for linear.weight",
        ),
        ({"in_features": 17}, r"linear.weight \[11, 17\] in floating point; copy or download both"),
        ({"out_features": 10**18}, r"asks for linear.bias \[1000000000000000000\]"),
    ],
)
def test_settings_that_cannot_be_followed(config: dict[str, Any], words: str, tmp_path: Path) -> None:
    folder = dense_folder(tmp_path / "st")
    write(folder / "2_Dense" / "config.json", {**CONFIG, **config})
    with pytest.raises(CheckpointError, match=f"2_Dense/.*{words}"):
        read_checkpoint(folder)


def test_weights_that_cannot_be_used(tmp_path: Path) -> None:
    folder = dense_folder(tmp_path / "st")
    path = folder / "2_Dense" / "model.safetensors"

    def refuses(words: str, **tensors: torch.Tensor) -> None:
        save_file({**{name.replace(".", "_"): tensor for name, tensor in tensors_of().items()}, **tensors}, path)
        named = {name.replace("linear_", "linear."): tensor for name, tensor in load_file(path).items()}
        save_file({name: tensor for name, tensor in named.items() if tensor.numel()}, path)
        with pytest.raises(CheckpointError, match=words):
            read_checkpoint(folder)

    refuses(r"model.safetensors: holds linear.weight \[11, 16\], where", linear_bias=torch.zeros(0))
    refuses(r"holds linear.bias \[11\], where", linear_weight=torch.zeros(0))
    refuses(r"holds linear.bias \[12\], linear.weight", linear_bias=torch.zeros(12))
    refuses("in floating point", linear_bias=torch.zeros(OUT, dtype=torch.int64))
    refuses("holds numbers that are not finite; copy or download it again", linear_bias=torch.full((OUT,), torch.nan))
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(CheckpointError, match="cannot be read as tensors"):
        read_checkpoint(folder)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors: the file is missing"):
        read_checkpoint(folder)


def test_a_map_of_vectors_of_another_width(tmp_path: Path) -> None:
    folder = dense_folder(tmp_path / "st", inside=24)
    write(folder / "2_Dense" / "config.json", {**CONFIG, "in_features": 24})
    words = r"modules\.json: the Dense module reads vectors of 24 numbers, and the pooled ones have 16"
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(folder)


def test_modules_in_an_order_that_is_not_computed(tmp_path: Path) -> None:
    folder = dense_folder(tmp_path / "st", normalize=True)
    transformer, pooling, dense, normalize = json.loads((folder / "modules.json").read_text())
    for order in ([pooling, dense, dense], [pooling, normalize, dense], [dense, pooling]):
        write(folder / "modules.json", [transformer, *order])
        words = (
            'declares the module "Dense" in 2_Dense, and albertkit computes Transformer, Pooling, one Dense and Norm'
        )
        with pytest.raises(CheckpointError, match=words):
            read_checkpoint(folder)
    write(folder / "modules.json", [transformer, pooling, {**dense, "path": "../2_Dense"}])
    with pytest.raises(CheckpointError, match="not a module with a type and a path inside the folder"):
        read_checkpoint(folder)


def test_files_that_disagree_on_it(tmp_path: Path) -> None:
    save_model(dense_model(), tmp_path / "saved")
    modules = tmp_path / "saved" / "modules.json"
    content = modules.read_text()
    modules.unlink()
    with pytest.raises(
        CheckpointError, match="says that a Dense module follows the pooling, and the other files hold n"
    ):
        load_model(tmp_path / "saved")
    modules.write_text(content)
    task = json.loads((tmp_path / "saved" / "task.json").read_text())
    write(tmp_path / "saved" / "task.json", {**task, "embedding": {"pooling": "mean", "normalize": False}})
    with pytest.raises(CheckpointError, match=r"say that embedding is .*\"dense\": true.*, and task\.json says"):
        load_model(tmp_path / "saved")
