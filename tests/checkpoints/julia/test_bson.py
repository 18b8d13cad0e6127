"""ALBERT.jl's files: what was laid out as BSON.jl and ALBERT.jl do, and our own there and back."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tiny import assert_same_state

from albertkit.checkpoints import Checkpoint, ReadOptions, read_checkpoint
from albertkit.checkpoints.julia.bson import BSON
from albertkit.checkpoints.julia.bson_file import read_bson, write_bson
from albertkit.checkpoints.julia.bson_julia import JuliaValues, julia_array
from albertkit.checkpoints.shapes import encoder_shapes, head_shapes
from albertkit.config import AlbertConfig
from albertkit.encoder.encoder import Encoder
from albertkit.errors import CheckpointError, ConfigError

CONFIG = AlbertConfig(
    vocab_size=31,
    embedding_size=5,
    hidden_size=14,
    num_hidden_layers=5,
    num_attention_heads=2,
    intermediate_size=11,
    max_position_embeddings=13,
)
TWO_BY_TWO = {"num_hidden_groups": 2, "inner_group_num": 2}


def tiny(*heads: str, dtype: torch.dtype = torch.float32, classes: int = 3, **values: Any) -> Checkpoint:
    """A checkpoint of ours; every tensor is random."""
    config = replace(CONFIG, **values)
    shapes = encoder_shapes(config)
    for head in heads:
        shapes |= head_shapes(config, head, classes)
    generator = torch.Generator().manual_seed(29)
    state = {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in shapes.items()}
    return Checkpoint(config, state, source_format="made", source="made here")


def written(checkpoint: Checkpoint, folder: Path) -> Path:
    path = folder / "model.tfbson"
    BSON.write(checkpoint, path)
    return path


def refusal(path: Path) -> str:
    with pytest.raises((CheckpointError, ConfigError)) as caught:
        read_checkpoint(path)
    return str(caught.value)


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the document of a file; dictionaries are written as [keys, values]."""
    document = read_bson(path)
    change(document)
    with path.with_suffix(".new").open("wb") as file:
        write_bson(file, document, where="changed here")
    path.with_suffix(".new").replace(path)


def entry(document: dict[str, Any], part: str, name: str) -> tuple[list[Any], int]:
    keys, values = document[part]["data"]
    return values, keys.index(name)


# ---- what ALBERT.jl lays out ----


def test_the_outputs_of_google_s_code(shared: Path) -> None:
    expected = np.load(shared / "fixtures" / "tf1_mlm_sop" / "expected.npz")
    checkpoint = read_checkpoint(shared / "fixtures" / "tf1_mlm_sop.tfbson")
    assert (checkpoint.source_format, checkpoint.unexpected) == ("bson", ())
    assert set(checkpoint.heads) == {"mlm", "sop"}
    assert (checkpoint.config.hidden_act, checkpoint.tokenizer_mode) == ("gelu_new", "google")
    assert checkpoint.tokenizer_files == {}
    assert "the vocabulary of 173 pieces was not converted" in checkpoint.notes[-1]
    state = checkpoint.state
    encoder = Encoder(checkpoint.config).eval()
    encoder.load_state_dict({name: tensor for name, tensor in state.items() if not name.startswith("heads.")})
    mask = torch.as_tensor(expected["input_mask"]).long()
    with torch.no_grad():
        output = encoder(
            input_ids=torch.as_tensor(expected["input_ids"]).long(),
            attention_mask=mask,
            token_type_ids=torch.as_tensor(expected["segment_ids"]).long(),
        )
    seen = mask.bool().numpy()
    assert np.abs(output.sequence_output.numpy() - expected["sequence_output"])[seen].max() < 2e-5
    assert np.abs(output.pooled_output.numpy() - expected["pooled_output"]).max() < 2e-5
    sop = output.pooled_output @ state["heads.sop.weight"].T + state["heads.sop.bias"]
    assert np.abs(sop.numpy() - expected["sop_logits"]).max() < 2e-5
    dense = output.sequence_output @ state["heads.mlm.dense.weight"].T + state["heads.mlm.dense.bias"]
    dense = torch.nn.functional.gelu(dense, approximate="tanh")
    norm = (state["heads.mlm.norm.weight"], state["heads.mlm.norm.bias"])
    dense = torch.nn.functional.layer_norm(dense, dense.shape[-1:], *norm, eps=1e-12)
    mlm = dense @ state["embeddings.word.weight"].T + state["heads.mlm.bias"]
    assert np.abs(mlm.numpy() - expected["mlm_logits"])[seen].max() < 2e-5


def test_written_again_it_holds_the_same(shared: Path, tmp_path: Path) -> None:
    theirs = shared / "fixtures" / "tf1_mlm_sop.tfbson"
    ours = written(read_checkpoint(theirs), tmp_path)
    arrays = []
    for path in (theirs, ours):
        document = read_bson(path)
        julia = JuliaValues(document, path)
        weights = julia.mapping(document["weights"], what="weights")
        arrays.append({name: julia.array(value, what=name) for name, value in weights.items()})
    assert arrays[0].keys() == arrays[1].keys()
    for name, array in arrays[0].items():
        assert array.shape == arrays[1][name].shape, name  # biases are matrices of one row there
        assert array.tobytes() == arrays[1][name].tobytes(), name


# ---- there and back ----


@pytest.mark.parametrize(
    "checkpoint",
    [
        tiny(),
        tiny(**TWO_BY_TWO),
        tiny("mlm", "sop"),
        tiny("classifier"),
        tiny("span", "mlm"),
        tiny("answer"),
        tiny(embedding_size=14),
        tiny(hidden_act="relu"),
        tiny(dtype=torch.float64),
    ],
    ids=lambda checkpoint: "-".join(checkpoint.heads) or "encoder",
)
def test_ours_there_and_back(tmp_path: Path, checkpoint: Checkpoint) -> None:
    again = read_checkpoint(written(checkpoint, tmp_path))
    assert again.config == checkpoint.config
    assert_same_state(dict(checkpoint.state), dict(again.state))
    assert (again.unexpected, again.notes) == ((), ("the file holds no vocabulary",))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_values_of_16_bits_are_widened(tmp_path: Path, dtype: torch.dtype) -> None:
    checkpoint = tiny("mlm", dtype=dtype)
    again = read_checkpoint(written(checkpoint, tmp_path))
    assert_same_state({name: tensor.float() for name, tensor in checkpoint.state.items()}, dict(again.state))


def test_without_a_pooler_and_with_one_output(tmp_path: Path) -> None:
    bare = tiny("mlm")
    bare = replace(bare, state={name: tensor for name, tensor in bare.state.items() if "pooler" not in name})
    assert not read_checkpoint(written(bare, tmp_path)).has_pooler
    assert read_checkpoint(written(tiny("classifier", classes=1), tmp_path)).problem_type == "regression"


def test_vocabularies(tmp_path: Path) -> None:
    official = Path(str(resources.files("albertkit") / "assets" / "30k-clean.model"))
    path = written(replace(tiny(vocab_size=30000), tokenizer_files={"spiece.model": official}), tmp_path)
    lines = read_bson(path)["vocab"]
    # Lines of google-research/albert's 30k-clean.vocab.
    assert (lines[0], lines[2], lines[14]) == ("<pad>\t0", "[CLS]\t0", "▁the\t-2.97853") or lines[14].startswith(
        "▁the\t-"
    )
    again = read_checkpoint(path)
    assert again.tokenizer_files["spiece.model"].read_bytes() == official.read_bytes()

    words = tmp_path / "vocab.txt"
    words.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nword\n##s\n", encoding="utf-8")
    again = read_checkpoint(written(replace(tiny(), tokenizer_files={"vocab.txt": words}), tmp_path))
    kept = again.tokenizer_files["vocab.txt"]
    assert kept.read_bytes() == words.read_bytes()
    del again
    assert not kept.exists()

    words.write_bytes(b"\xff")
    for name in ("spiece.model", "vocab.txt"):
        with pytest.raises(CheckpointError, match=r"vocab|SentencePiece"):
            written(replace(tiny(), tokenizer_files={name: words}), tmp_path)


def test_counters_and_strangers(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        keys, values = document["weights"]["data"]
        keys += ["global_step", "bert/pooler/dense/bias/adam_m", "bert/stranger"]
        values += [7, julia_array(np.zeros((14, 1), "f4")), julia_array(np.zeros((2, 3), "f4"))]

    path = written(tiny(), tmp_path)
    changed(path, change)
    checkpoint = read_checkpoint(path)
    assert checkpoint.unexpected == ("bert/stranger",)
    assert checkpoint.notes[0] == "2 values of the training run were ignored"


def test_plain_vectors_and_references(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        values, place = entry(document, "weights", "bert/pooler/dense/bias")
        values[place]["size"] = [14]
        document["_backrefs"] = [document["weights"], {"tag": "backref", "ref": 1}]
        document["weights"] = {"tag": "backref", "ref": 2}
        document["config"] = dict(zip(*document["config"]["data"], strict=True))  # what a Dict{Symbol} becomes

    path = written(tiny(), tmp_path)
    changed(path, change)
    assert_same_state(dict(tiny().state), dict(read_checkpoint(path).state))


# ---- what cannot be ----


@pytest.mark.parametrize(
    "checkpoint, expected",
    [
        (tiny(hidden_act="gelu"), "made here: its activation is the erf form of gelu"),
        (tiny(layer_norm_eps=1e-5), "made here: layer_norm_eps is 1e-05"),
        (tiny("tags"), 'made here: its head "tags" cannot be stored'),
        (tiny("choice"), 'made here: its head "choice" cannot be stored'),
        (replace(tiny("classifier"), task={"head": {"pooling": "mean"}}), 'its head "classifier" cannot be stored'),
        (replace(tiny(), config=replace(CONFIG, hidden_size=16)), "made here: 19 tensors do not fit"),
    ],
)
def test_what_albert_jl_cannot_hold(tmp_path: Path, checkpoint: Checkpoint, expected: str) -> None:
    with pytest.raises(CheckpointError, match=expected):
        written(checkpoint, tmp_path)
    assert not list(tmp_path.iterdir())


def put(part: str, name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        values, place = entry(document, part, name)
        values[place] = value

    return change


def put_sizes(**sizes: int) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        for name, size in sizes.items():
            put("config", name, size)(document)

    return change


def edit(name: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        arrays, place = entry(document, "weights", name)
        arrays[place].update(values)

    return change


POOLER = "bert/pooler/dense/kernel"


@pytest.mark.parametrize(
    "change, expected",
    [
        (lambda document: document.pop("weights"), "holds no weights but config, vocab"),
        (lambda document: document.update(weights=7), "weights is not a dictionary"),
        (lambda document: document["weights"]["data"][0].pop(), "weights is not a dictionary"),
        (lambda document: document["weights"]["data"][0].__setitem__(0, 7), "weights is not a dictionary"),
        (lambda document: document.update(vocab=[1]), "vocab holds something other than lines of text"),
        (lambda document: document.update(vocab="a"), "vocab is not a list of values"),
        (
            lambda document: document.update(
                _backrefs=[{"tag": "backref", "ref": 1}], weights={"tag": "backref", "ref": 1}
            ),
            "has a reference that leads to itself",
        ),
        (lambda document: document.update(weights={"tag": "backref", "ref": 0}), "refers to the value 0 of 0"),
        (edit(POOLER, size=[14, 15]), f"{POOLER} [14, 15] of Float32 takes 840 bytes, 784 are there"),
        (edit(POOLER, size=[2**40, 2**40]), "takes 4835703278458516698824704 bytes, 784 are there"),
        (edit(POOLER, size=[-14, -14]), f"{POOLER} has the size [-14, -14]"),
        (edit(POOLER, size=[]), f"{POOLER} has the size []"),
        (edit(POOLER, type={"tag": "datatype", "name": ["Core", "Any"], "params": []}), "is an array of Any"),
        (edit(POOLER, data=[1, 2]), "is an array of Float32, not of"),
        (edit(POOLER, size=[7, 28]), "pooler.weight (bert/pooler/dense/kernel in the file) [7, 28], expected [14, 14]"),
        (put("weights", POOLER, 7), f"{POOLER} is not an array of numbers"),
        (put_sizes(num_hidden_layers=900, num_hidden_groups=900), "too few for the layers of its config"),
        (put_sizes(num_hidden_layers=10**6), "num_hidden_layers is 1000000, not a whole number from 1 to 1000"),
        (put_sizes(inner_group_num=99), "too few for the layers of its config"),
        (put("config", "hidden_act", "gelu_erf"), 'hidden_act is "gelu_erf"'),
        (put("config", "hidden_act", {"tag": "struct"}), "hidden_act is "),
    ],
)
def test_content_that_cannot_be(tmp_path: Path, change: Callable[[dict[str, Any]], Any], expected: str) -> None:
    path = written(tiny(), tmp_path)
    changed(path, change)
    message = refusal(path)
    assert message.startswith(f"{path}: ")
    assert expected in message


def test_a_value_of_the_config_that_cannot_be(tmp_path: Path) -> None:
    path = written(tiny(), tmp_path)
    changed(path, put("config", "hidden_size", "14"))
    with pytest.raises(ConfigError, match=r"model\.tfbson: .*hidden_size is '14'"):
        read_checkpoint(path)


def test_options_and_matches(tmp_path: Path) -> None:
    path = written(tiny(), tmp_path)
    assert BSON.read(path, ReadOptions(activation="relu", num_heads=7)).config.num_attention_heads == 7
    assert BSON.matches(path)
    assert not BSON.matches(tmp_path)
    other = path.rename(tmp_path / "model.bin")
    assert not BSON.matches(other)
    text = tmp_path / "text.bson"
    text.write_text("only text")
    assert not BSON.matches(text)


def test_damaged_files(tmp_path: Path) -> None:
    small = tiny("mlm", "sop", vocab_size=5, embedding_size=2, hidden_size=4, intermediate_size=3)
    path = written(small, tmp_path)
    healthy = path.read_bytes()
    for number in range(300):
        draw = random.Random(number)
        content = bytearray(healthy)
        for _ in range(draw.choice((1, 2, 4, 8))):
            place = draw.randrange(len(content))
            content[place] = draw.choice((0, 255, draw.randrange(256), content[place] ^ 1))
            if draw.random() < 0.05:
                del content[place:]
                content += b"\0"
        path.write_bytes(content)
        try:
            assert read_checkpoint(path).state.keys() == small.state.keys()
        except (CheckpointError, ConfigError):
            continue
