"""Folders of sentence-transformers, read and written: vectors are the declared ones, worked out here with transformers
and NumPy, and with the library itself where it is installed."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.checkpoints.sentence_folders import LONG, TEXTS, TRANSFORMER, by_hand, flags, folder_of, replayed, write
from tests.tiny import execution, tiny_folder

from albertkit.checkpoints import read_checkpoint
from albertkit.checkpoints.huggingface import HUGGINGFACE
from albertkit.errors import CheckpointError
from albertkit.estimators import AlbertEmbedder
from albertkit.exporting.export import export
from albertkit.inference.predictor import Predictor
from albertkit.models.conversion import convert
from albertkit.models.loaded import EmbeddingSpec, FreshWeightsWarning, HeadSpec
from albertkit.models.pretrained import load_model, save_model, with_task_head

MEAN, CLS = {"pooling_mode_mean_tokens": True}, {"pooling_mode_cls_token": True}
POOLING = {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}
DENSE = {"type": "sentence_transformers.models.Dense", "path": "2_Dense"}
PROMPT = {"prompts": {"q": "query: "}, "default_prompt_name": "q"}


@pytest.mark.parametrize(
    ("pooling", "config"),
    [("mean", flags("mean_tokens")), ("cls", flags("cls_token")), ("cls", {"pooling_mode": "cls"}), ("mean", {})],
)
@pytest.mark.parametrize(("normalize", "inner"), [(False, ""), (True, "0_Transformer")])
def test_vectors_are_the_declared_ones(
    pooling: str, config: dict[str, Any], normalize: bool, inner: str, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "st", pooling=config, normalize=normalize, inner=inner)
    expected = by_hand(folder / inner, pooling=pooling, normalize=normalize, length=9)
    predictor = Predictor.load(folder, execution=execution())
    assert (predictor.default_pooling, predictor.model.max_length) == (pooling, 9)
    np.testing.assert_allclose(predictor.embed(TEXTS), expected, atol=2e-5)


def test_they_stay_so_in_whatever_is_made_of_the_folder(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "st", pooling=flags("cls_token"), normalize=True)
    expected = by_hand(folder, pooling="cls", normalize=True, length=9)
    convert(folder, tmp_path / "converted")
    save_model(load_model(folder), tmp_path / "saved")
    for place in (tmp_path / "converted", tmp_path / "saved"):
        np.testing.assert_allclose(Predictor.load(place, execution=execution()).embed(TEXTS), expected, atol=2e-5)
    found = AlbertEmbedder(str(tmp_path / "saved"), threads=1).fit_transform(TEXTS)
    np.testing.assert_allclose(found, expected, atol=2e-2)  # its precision is the machine's best


def test_without_a_length_the_tokenizer_says_it(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "st", pooling=flags("mean_tokens"), length=None)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    for said, length in ((11, 11), (int(1e30), 64), (512, 64)):
        write(path, {**settings, "model_max_length": said})
        assert load_model(folder).max_length == length


@pytest.mark.parametrize(
    ("file", "value", "words"),
    [
        ("1_Pooling/config.json", flags("max_tokens"), 'is "max_tokens", and albertkit computes mean and cls'),
        ("1_Pooling/config.json", MEAN | CLS, '"mean_tokens [+] cls_token"'),
        ("1_Pooling/config.json", flags("none"), 'the pooling is ""'),
        ("1_Pooling/config.json", {"pooling_mode": {"mean": 1}}, "the pooling is"),
        ("1_Pooling/config.json", [], "holds a list, not a mapping"),
        ("sentence_bert_config.json", {"max_seq_length": "many"}, "max_seq_length is 'many'"),
        ("config_sentence_transformers.json", PROMPT, 'puts the prompt "query: " before each text'),
        ("modules.json", {}, "is not a list of modules"),
        ("modules.json", [{"type": TRANSFORMER, "path": "../elsewhere"}], "not a module with a type and a path"),
        (
            "modules.json",
            [{"type": "sentence_transformers.models.WordEmbeddings", "path": ""}],
            'begins with the module "WordEmbeddings"',
        ),
        ("modules.json", [{"type": "mine.Transformer", "path": ""}], '"mine.Transformer" is another package\'s'),
        ("modules.json", [{"type": TRANSFORMER, "path": ""}], "declares no Pooling"),
        (
            "modules.json",
            [{"type": TRANSFORMER}, POOLING, {"type": "sentence_transformers.models.LayerNorm", "path": "2_N"}],
            '"LayerNorm" in 2_N',
        ),
        ("modules.json", [{"type": TRANSFORMER}, DENSE, POOLING], '"Dense" in 2_Dense.*remove modules.json'),
    ],
)
def test_what_would_be_another_vector_is_refused(file: str, value: Any, words: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "st", pooling=flags("mean_tokens"))
    write(folder / file, value)
    with pytest.raises(CheckpointError, match=f"{Path(file).name}: .*{words}"):
        read_checkpoint(folder)


FILES = ("modules.json", "1_Pooling/config.json", "config_sentence_transformers.json", "sentence_bert_config.json")


def embedding_model(place: Path, *, pooling: str, normalize: bool) -> Path:
    """A saved model whose files say what its vectors are, and that its inputs have at most 9 tokens."""
    model = replace(load_model(tiny_folder()), embedding=EmbeddingSpec(pooling, normalize), max_length=9)
    save_model(model, place)
    return place


@pytest.mark.parametrize("pooling", ["mean", "cls", "pooler"])
@pytest.mark.parametrize("normalize", [False, True])
def test_a_model_that_embeds_is_saved_as_sentence_transformers_reads_it(
    pooling: str, normalize: bool, tmp_path: Path
) -> None:
    folder = embedding_model(tmp_path / "saved", pooling=pooling, normalize=normalize)
    assert all((folder / name).is_file() for name in FILES)
    expected = Predictor.load(folder, execution=execution()).embed(LONG)
    np.testing.assert_allclose(replayed(folder, LONG), expected, atol=1e-5)
    # Read by its declaration only, and converted, it is the same.
    declared = read_checkpoint(folder).task
    (folder / "task.json").unlink()
    assert read_checkpoint(folder).task == declared
    convert(folder, tmp_path / "converted")
    np.testing.assert_allclose(replayed(tmp_path / "converted", LONG), expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "pooler"])
@pytest.mark.parametrize("normalize", [False, True])
def test_the_library_itself_gives_our_vectors(pooling: str, normalize: bool, tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    folder = embedding_model(tmp_path / "saved", pooling=pooling, normalize=normalize)
    expected = Predictor.load(folder, execution=execution()).embed(LONG)
    model = library.SentenceTransformer(str(folder), device="cpu")
    assert model.max_seq_length == 9
    np.testing.assert_allclose(model.encode(LONG), expected, atol=1e-5)
    model.save(str(tmp_path / "theirs"))  # and what it saves is read here
    with pytest.warns(FreshWeightsWarning, match=r"holds no spiece\.model; the official"):  # it keeps tokenizer.json
        found = Predictor.load(tmp_path / "theirs", execution=execution())
    assert (found.default_pooling, found.model.max_length) == (pooling, 9)
    np.testing.assert_allclose(found.embed(LONG), expected, atol=1e-5)


def test_a_model_of_similarity_embeds_and_a_classifier_does_not(tmp_path: Path) -> None:
    start = load_model(tiny_folder())
    trained = with_task_head(start, task="similarity", labels=(), head=HeadSpec(pooling="cls"))
    save_model(trained, tmp_path / "similarity")
    expected = Predictor.load(tmp_path / "similarity", execution=execution()).embed(LONG)
    np.testing.assert_allclose(replayed(tmp_path / "similarity", LONG), expected, atol=1e-5)
    save_model(with_task_head(start, task="classification", labels=("a", "b")), tmp_path / "classifier")
    assert not any((tmp_path / "classifier" / name).exists() for name in FILES)


def test_another_model_in_the_folder_leaves_no_old_declaration(tmp_path: Path) -> None:
    folder = embedding_model(tmp_path / "saved", pooling="pooler", normalize=True)
    HUGGINGFACE.write(read_checkpoint(tiny_folder()), folder)
    assert not any((folder / name).exists() for name in (*FILES, "2_Dense"))


def test_an_export_declares_nothing(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    folder = embedding_model(tmp_path / "saved", pooling="mean", normalize=True)
    expected = Predictor.load(folder, execution=execution()).embed(TEXTS)
    export(load_model(folder), tmp_path / "exported")
    assert not any((tmp_path / "exported" / name).exists() for name in FILES)
    np.testing.assert_allclose(Predictor.load(tmp_path / "exported").embed(TEXTS), expected, atol=1e-4)


def test_a_pickled_embedder_keeps_the_vectors(tmp_path: Path) -> None:
    folder = embedding_model(tmp_path / "saved", pooling="cls", normalize=True)
    fitted = AlbertEmbedder(str(folder), threads=1).fit(TEXTS)
    expected = fitted.transform(TEXTS)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_allclose(again.transform(TEXTS), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("1_Pooling/config.json", {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "embedding is "),
        ("sentence_bert_config.json", {"max_seq_length": 7}, "max_length is 7, and task.json says 9; change both"),
    ],
)
def test_a_declaration_that_was_edited_is_not_passed_by(
    file: str, change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    folder = embedding_model(tmp_path / "saved", pooling="mean", normalize=False)
    write(folder / file, {**json.loads((folder / file).read_text()), **change})
    with pytest.raises(CheckpointError, match=f"modules.json and its files say that {words}"):
        read_checkpoint(folder)
    for name in ("modules.json", "task.json"):
        copy = tmp_path / name
        shutil.copytree(folder, copy)
        (copy / name).unlink()
        read_checkpoint(copy)
