"""Every format into every other that can hold the model, bit for bit; refusals; the tokenizer on the way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.checkpoints.healthy import NO_PROJECTION, TWO_BY_TWO, random_checkpoint, written
from tests.tiny import CONFIG, execution, tiny_network

from albertkit.checkpoints import ReadOptions, read_checkpoint
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError, RunError, UsageError
from albertkit.inference.predictor import Predictor
from albertkit.models.conversion import convert, writable_formats
from albertkit.models.loaded import Model
from albertkit.models.pretrained import load_model, save_model, with_task_head
from albertkit.tasks.classification import CLASSIFICATION
from albertkit.text.tokenizer import Tokenizer
from albertkit.text.vocabulary import official_vocabulary

FORMATS = sorted(writable_formats())
RELU = replace(TWO_BY_TWO, hidden_act="relu")
MODELS = {
    "two groups of two": (TWO_BY_TWO, ()),
    "no projection": (NO_PROJECTION, ()),
    "relu": (RELU, ()),
    "pretraining heads": (TWO_BY_TWO, ("mlm", "sop")),
    "classifier": (TWO_BY_TWO, ("classifier",)),
    "span": (TWO_BY_TWO, ("span",)),
    "answer": (TWO_BY_TWO, ("answer",)),
}
# KerasHub's files are slow to read (a process each) and cannot hold every network; see checkpoints/kerashub/.
IN_KERAS = ("two groups of two", "pretraining heads")
CASES = [
    (first, second, model)
    for first in FORMATS
    for second in FORMATS
    for model in MODELS
    if "keras" not in (first, second) or model in IN_KERAS
]


def path_for(name: str, folder: Path) -> Path:
    return folder / (f"model.{name}" if writable_formats()[name].writes == "file" else "model")


@pytest.mark.parametrize(("first", "second", "model"), CASES)
def test_round_trips_keep_every_bit(first: str, second: str, model: str, tmp_path: Path) -> None:
    config, heads = MODELS[model]
    made = random_checkpoint(config, *heads)
    (tmp_path / "a").mkdir()
    one = written(first, made, tmp_path / "a")
    two = path_for(second, tmp_path / "b")
    convert(one, two, to=second)
    back = path_for(first, tmp_path / "c")
    convert(two, back, to=first)
    for place in (one, two, back):
        found = read_checkpoint(place)
        assert found.config == replace(config, classifier_dropout_prob=found.config.classifier_dropout_prob)
        assert found.state.keys() == made.state.keys()
        for name, tensor in made.state.items():
            assert torch.equal(found.state[name], tensor), (place, name)


def test_the_built_in_model_goes_out_and_comes_back(tmp_path: Path) -> None:
    done = convert("albert-nano", tmp_path / "tf1", to="tf1", options=ReadOptions(activation="gelu_new"))
    assert done.notes == (
        "tf1 cannot store the Dense map of the vectors: embed and similarity will give other numbers",
        "tf1 cannot store embedding, max_length of task.json",
    )
    convert(tmp_path / "tf1", tmp_path / "hf")
    model, own = load_model(tmp_path / "hf"), load_model("albert-nano")
    assert model.network.config.hidden_act == "gelu_new"
    for name, tensor in own.network.canonical_state().items():
        assert torch.equal(model.network.canonical_state()[name], tensor), name
    assert isinstance(model.tokenizer, Tokenizer)
    assert model.tokenizer.model == official_vocabulary().read_bytes()
    assert {"spiece.model", "tokenizer.json"} <= {path.name for path in (tmp_path / "hf").iterdir()}
    assert "An ALBERT encoder of 6 layers and hidden size 256." in (tmp_path / "hf" / "README.md").read_text()


def test_a_mode_is_recorded(tmp_path: Path) -> None:
    convert("albert-nano", tmp_path / "m", mode="tfhub")
    assert load_model(tmp_path / "m").tokenizer.mode == "tfhub"


def test_a_wrong_tokenizer_is_passed_over_with_a_note(tmp_path: Path) -> None:
    model = written("huggingface", random_checkpoint(), tmp_path)
    (model / "spiece.model").write_bytes(official_vocabulary().read_bytes())
    done = convert(model, tmp_path / "out")
    assert "has 30000 pieces, the network 23" in done.notes[-1]
    assert not (tmp_path / "out" / "spiece.model").exists()
    with pytest.raises(CheckpointError, match="30000 pieces"):
        load_model(model).tokenizer.encode("text")


def test_a_model_without_a_tokenizer_converts_with_a_note(tmp_path: Path) -> None:
    done = convert(written("huggingface", random_checkpoint(), tmp_path), tmp_path / "out")
    assert "holds no tokenizer" in done.notes[-1]
    assert (tmp_path / "out" / "README.md").is_file()


def test_what_stands_at_the_target_stays(tmp_path: Path) -> None:
    model = written("huggingface", random_checkpoint(), tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="already exists"):
        convert(model, tmp_path / "out")
    with pytest.raises(RunError, match="is a file"):
        convert(model, tmp_path / "out" / "mine.txt")
    convert(model, tmp_path / "out", overwrite=True)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["hidden_size"] == 6


def test_nothing_is_left_of_a_refusal(tmp_path: Path) -> None:
    erf = random_checkpoint(replace(TWO_BY_TWO, hidden_act="gelu"))
    model = written("huggingface", erf, tmp_path)
    for name in FORMATS:
        if name != "huggingface":
            with pytest.raises(CheckpointError, match="gelu_new"):
                convert(model, path_for(name, tmp_path / name), to=name)
            assert not any(path.is_file() for path in (tmp_path / name).rglob("*"))


def test_options_win_over_the_files(tmp_path: Path) -> None:
    model = written("huggingface", random_checkpoint(), tmp_path)
    options = ReadOptions(num_layers=4, num_heads=3, activation="relu")
    found = convert(model, tmp_path / "out", options=options).checkpoint.config
    assert (found.num_hidden_layers, found.num_attention_heads, found.hidden_act) == (4, 3, "relu")
    assert read_checkpoint(tmp_path / "out").config == found


def test_unknown_and_read_only_formats(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='did you mean "huggingface"'):
        convert("albert-nano", tmp_path / "out", to="hugingface")
    with pytest.raises(UsageError, match="can be read but not written"):
        convert("albert-nano", tmp_path / "out", to="hub1")


@pytest.mark.parametrize("changes", [{}, {"hidden_act": "gelu", "hidden_dropout_prob": 0.1}], ids=["v2", "v1"])
def test_the_head_count_of_xlarge_v2_is_doubted(changes: dict[str, object]) -> None:
    from albertkit.checkpoints.checkpoint import Checkpoint
    from albertkit.checkpoints.known_issues import known_issues

    shape = {"hidden_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 8192}
    config = AlbertConfig(**{**shape, **changes})  # type: ignore[arg-type]
    told = list(known_issues(Checkpoint(config, {}, source_format="huggingface", source="m")))
    assert len(told) == (not changes)
    assert all("--num-heads 32" in sentence for sentence in told)
    config = replace(config, num_attention_heads=32)
    assert list(known_issues(Checkpoint(config, {}, source_format="huggingface", source="m"))) == []


@pytest.mark.filterwarnings("ignore::albertkit.models.loaded.FreshWeightsWarning")  # BSON has no SentencePiece model
@pytest.mark.parametrize("to", ["tf1", "bson"])
def test_three_labels_have_numbers_where_a_format_has_no_names(to: str, tmp_path: Path) -> None:
    network = tiny_network(config=replace(CONFIG, hidden_act="gelu_new"))
    model = with_task_head(Model(network, Tokenizer.official(), max_length=30), task="classification", labels="abc")
    model = replace(model, task=replace(model.task, temperature=2.0))
    save_model(model, tmp_path / "m")
    done = convert(tmp_path / "m", path_for(to, tmp_path / "out"), to=to)
    assert f"{to} format cannot store label names; keep this list: a, b, c" in done.notes
    assert f"{to} cannot store max_length, temperature of task.json" in done.notes
    (found,) = Predictor.load(done.target, execution=execution()).predict(["a fine film"])
    (expected,) = Predictor(replace(model, task=CLASSIFICATION), execution=execution()).predict(["a fine film"])
    assert found["label"] == f"LABEL_{'abc'.index(expected['label'])}"
    assert list(found["probabilities"]) == ["LABEL_0", "LABEL_1", "LABEL_2"]
    shares = list(expected["probabilities"].values())
    assert list(found["probabilities"].values()) == pytest.approx(shares, abs=1e-5)
