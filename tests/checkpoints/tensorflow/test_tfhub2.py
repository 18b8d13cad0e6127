"""TF2 SavedModels: equal to what TensorFlow computed, and to the numbers that a made-up one holds."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.checkpoints.healthy import random_checkpoint
from tests.checkpoints.recorded import recorded_model
from tests.checkpoints.tensorflow.saved_models import (
    CONFIG,
    NO_PROJECTION_CONFIG,
    graph,
    healthy_saved_model,
    made_saved_model,
    number,
    settings,
    variables_of,
    write_saved_model,
)

from albertkit.checkpoints import ReadOptions, read_checkpoint
from albertkit.checkpoints.tensorflow.tfhub2 import TFHUB2
from albertkit.config import AlbertConfig
from albertkit.data.arrays import read_padded_batch, spread
from albertkit.encoder.encoder import Encoder
from albertkit.errors import CheckpointError, ConfigError
from albertkit.hardware.device import choose_execution
from albertkit.inference.pytorch import PyTorchRuntime
from albertkit.tasks.network import Network, pretraining_heads

FIXTURES = ("tfhub2_with_mlm", "tfhub2_encoder")
Made = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Made:
    return partial(made_saved_model, tmp_path / "model")


def difference(folder: Path, *, layers: int | None = None) -> dict[str, float]:
    """Largest difference of each output from expected.npz, over positions that are not padding."""
    checkpoint = read_checkpoint(folder, ReadOptions(num_layers=layers))
    batch, mask = read_padded_batch(folder / "expected.npz")
    network = Network(Encoder(checkpoint.config), pretraining_heads(checkpoint.config, checkpoint.heads))
    network.take_canonical(checkpoint.state)
    runtime = PyTorchRuntime(network, execution=choose_execution(device="cpu", precision="fp32", threads=1))
    outputs = ["sequence_output", "pooled_output", *(f"{head}_logits" for head in checkpoint.heads)]
    found = runtime.run(batch, outputs=outputs)
    with np.load(folder / "expected.npz") as expected:
        here = mask.astype(bool)
        different = {
            "sequence_output": (spread(found["sequence_output"], mask) - expected["sequence_output"])[here],
            "pooled_output": found["pooled_output"] - expected["pooled_output"],
        }
        if "mlm" in checkpoint.heads:
            logits = np.take_along_axis(
                spread(found["mlm_logits"], mask), expected["masked_lm_positions"][:, :, None], axis=1
            )
            different["mlm_logits"] = logits - expected["mlm_logits"]
    return {name: float(np.abs(values).max()) for name, values in different.items()}


@pytest.mark.parametrize("name", FIXTURES)
def test_outputs_equal_tensorflows(tmp_path: Path, name: str) -> None:
    found = difference(recorded_model(name, tmp_path))
    assert len(found) == (3 if name == "tfhub2_with_mlm" else 2)
    assert max(found.values()) < 2e-5, found


@pytest.mark.parametrize(("name", "layers"), [("tfhub2_with_mlm", 4), ("tfhub2_encoder", 3)])
def test_only_the_number_of_layers_that_the_graph_shows_gives_the_outputs(
    tmp_path: Path, name: str, layers: int
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(recorded_model(name, tmp_path), folder, copy_function=shutil.copyfile)
    (folder / "keras_metadata.pb").unlink()  # only the graph is left to tell
    checkpoint = read_checkpoint(folder)
    assert checkpoint.config.num_hidden_layers == layers
    assert checkpoint.config.hidden_act == "gelu_new"
    assert checkpoint.notes == ()
    for wrong in (layers - 1, layers + 1):
        assert max(difference(folder, layers=wrong).values()) > 1e-2


@pytest.mark.parametrize("name", FIXTURES)
def test_what_a_real_folder_says(tmp_path: Path, name: str) -> None:
    checkpoint = read_checkpoint(recorded_model(name, tmp_path))
    assert checkpoint.source_format == "tfhub2"
    assert checkpoint.tokenizer_mode == "tfhub"
    assert checkpoint.tokenizer_files["spiece.model"].name == "keras_albert_test.spm"
    assert (checkpoint.notes, checkpoint.unexpected, checkpoint.missing) == ((), (), ())
    assert checkpoint.config.num_attention_heads == (5 if name == "tfhub2_with_mlm" else 4)
    assert (checkpoint.config.hidden_dropout_prob, checkpoint.config.initializer_range) == (0.0, 0.2)


@pytest.mark.parametrize("config", [CONFIG, NO_PROJECTION_CONFIG], ids=["projection", "no-projection"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_every_number_arrives(tmp_path: Path, config: AlbertConfig, dtype: torch.dtype) -> None:
    made = random_checkpoint(config, "mlm", dtype=dtype)
    write_saved_model(tmp_path / "m", variables_of(made), graph_def=graph(config.num_hidden_layers))
    checkpoint = read_checkpoint(tmp_path / "m")
    assert checkpoint.config == made.config
    assert checkpoint.state.keys() == made.state.keys()
    for name, tensor in checkpoint.state.items():
        assert tensor.dtype == dtype
        assert torch.equal(tensor, made.state[name]), name
    assert checkpoint.tokenizer_files == {"spiece.model": tmp_path / "m" / "assets" / "some.model"}
    assert checkpoint.notes == ()


@pytest.mark.parametrize(
    "absent", [{"tracked": False}, {"full_names": False}, {"saved": False}], ids=lambda absent: next(iter(absent))
)
def test_one_graph_is_enough_for_the_names(make: Made, absent: dict[str, bool]) -> None:
    checkpoint = read_checkpoint(make(**absent))
    assert torch.equal(checkpoint.state["pooler.weight"], random_checkpoint(CONFIG, "mlm").state["pooler.weight"])
    assert checkpoint.unexpected == ()


def test_without_any_names(make: Made) -> None:
    with pytest.raises(
        CheckpointError, match=r"has no word_embeddings/embeddings, .*not an ALBERT encoder.*variables/0"
    ):
        read_checkpoint(make(tracked=False, saved=False))


def test_names_of_old_versions_and_scopes(make: Made) -> None:
    def old(name: str) -> str:
        name = name.replace("self_attention/attention_output", "self_attention_output").replace("bert/cls/", "cls/")
        return "bert_model/" + name.replace("output_bias/bias", "output_bias")

    checkpoint = read_checkpoint(make(rename=old))
    assert checkpoint.heads == ("mlm",)
    assert checkpoint.notes == ()


def test_options_win_and_the_notes_say_so(make: Made) -> None:
    folder = make(keras=settings(num_layers=7))
    said = read_checkpoint(folder)
    assert said.config.num_hidden_layers == 5
    assert said.notes == ("Keras's settings say 7 layers, the graph applies 5; the graph's number is used",)
    asked = read_checkpoint(folder, ReadOptions(num_layers=2, num_heads=3, activation="relu"))
    assert asked.config == replace(said.config, num_hidden_layers=2, num_attention_heads=3, hidden_act="relu")
    assert asked.notes == (
        "the files apply the layer 5 times; 2, as asked for, is used",
        "the kernels have 2 heads; 3, as asked for, are used",
        "the graph computes gelu_new; relu, as asked for, is used",
    )


def test_an_unknown_number_of_layers(make: Made) -> None:
    folder = make(graph_def=b"")
    with pytest.raises(
        CheckpointError, match="no published model has hidden_size 6; give the number with --num-layers"
    ):
        read_checkpoint(folder)
    assert read_checkpoint(folder, ReadOptions(num_layers=4)).config.num_hidden_layers == 4


def test_the_published_number_of_layers(make: Made) -> None:
    config = replace(CONFIG, hidden_size=1024, num_attention_heads=16, intermediate_size=2)
    checkpoint = read_checkpoint(make(config=config, graph_def=b""))
    assert checkpoint.config.num_hidden_layers == 24
    assert "the files do not record the number of layers; 24, published for this width, is used" in checkpoint.notes


def test_variables_of_no_albert_and_of_the_training(make: Made) -> None:
    more = {
        "Adam/m/transformer/output/kernel": torch.zeros(2),
        "Adam/v/transformer/output/kernel": torch.zeros(2),
        "save_counter": torch.zeros((), dtype=torch.int64),
        "pooler_transform/kernel/m": torch.zeros(3),
        "do_lower_case": torch.zeros((), dtype=torch.bool),
    }
    slot = "variables/7/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE"
    checkpoint = read_checkpoint(make(more=more, keys={"pooler_transform/kernel/m": slot}))
    assert checkpoint.unexpected == ("do_lower_case",)
    assert checkpoint.notes == (
        "4 variables of the training (optimizer slots, counters) were ignored",
        'ignored, since no ALBERT has it: "do_lower_case"',
    )


def test_a_missing_pooler_is_told(make: Made) -> None:
    checkpoint = read_checkpoint(make(without="pooler_transform"))
    assert checkpoint.missing == ("pooler.weight", "pooler.bias")
    assert "variables.index holds no pooler" in checkpoint.notes


def test_refusals(make: Made, tmp_path: Path) -> None:
    def refused(problem: str, error: type[Exception] = CheckpointError, **changes: Any) -> None:
        with pytest.raises(error, match=problem):
            read_checkpoint(make(**changes))
        shutil.rmtree(tmp_path / "model")

    refused(r"missing \(1\):\n.*ffn.up.bias \(transformer/intermediate/bias in the file\)", without="intermediate/bias")
    refused(r"missing \(1\):\n.*heads.mlm.bias \(predictions/output_bias/bias in the file\)", without="output_bias")
    refused(
        "its layers do not share their weights, as BERT's",
        rename=lambda name: name.replace("transformer/", "transformer/layer_0/"),
    )
    refused("a second tensor for pooler.bias", more={"model/pooler_transform/bias": torch.zeros(6)})
    refused("numbers of attention heads disagree", more={"transformer/self_attention/key/bias": torch.zeros(3, 2)})
    refused("kernels are flat.*--num-heads", more=_flat())
    refused("mis-shaped", more={"pooler_transform/kernel": torch.zeros(6, 5)})
    refused("NaN or infinite", more={"pooler_transform/bias": torch.full((6,), torch.nan)})
    refused("vocab_size is 0", ConfigError, more={"word_embeddings/embeddings": torch.zeros(0, 4)})
    with pytest.raises(CheckpointError, match="cannot be written"):
        TFHUB2.write(random_checkpoint(CONFIG), tmp_path)


def _flat() -> dict[str, torch.Tensor]:
    part = "transformer/self_attention/"
    flat = {f"{part}{name}/kernel": torch.zeros(6, 6) for name in ("query", "key", "value", "attention_output")}
    return flat | {f"{part}{name}/bias": torch.zeros(6) for name in ("query", "key", "value")}


def test_flat_kernels_with_a_number_of_heads(make: Made) -> None:
    checkpoint = read_checkpoint(make(more=_flat()), ReadOptions(num_heads=3))
    assert checkpoint.config.num_attention_heads == 3


def test_two_graphs_that_name_a_variable_differently(make: Made) -> None:
    folder = make()
    file = folder / "saved_model.pb"
    file.write_bytes(file.read_bytes().replace(b"self_attention/query/bias", b"self_attention/value/bias"))
    with pytest.raises(CheckpointError, match=r"query/bias and .*value/bias:0 in the two graphs"):
        read_checkpoint(folder)


def test_which_vocabulary_is_taken(make: Made) -> None:
    folder = make(saved=False)
    (folder / "assets" / "larger.spm").write_bytes(b"a larger vocabulary")
    checkpoint = read_checkpoint(folder)
    assert checkpoint.tokenizer_files["spiece.model"].name == "larger.spm"
    assert checkpoint.notes == ("assets holds 2 SentencePiece models; larger.spm is used",)
    (folder / "assets" / "30k-clean.model").write_bytes(b"small")
    assert read_checkpoint(folder).tokenizer_files["spiece.model"].name == "30k-clean.model"
    shutil.rmtree(folder / "assets")
    assert read_checkpoint(folder).tokenizer_files == {}
    (folder / "assets").mkdir()
    (folder / "assets" / "vocab.txt").write_text("[PAD]\n")
    checkpoint = read_checkpoint(folder)
    assert (list(checkpoint.tokenizer_files), checkpoint.tokenizer_mode) == (["vocab.txt"], None)


def test_an_asset_outside_the_folder_is_not_touched(make: Made, tmp_path: Path) -> None:
    folder = make()
    (tmp_path / "x.model").write_bytes(b"elsewhere")
    file = folder / "saved_model.pb"
    file.write_bytes(file.read_bytes().replace(b"some.model", b"../x.model"))
    assert read_checkpoint(folder).tokenizer_files["spiece.model"].name == "some.model"


def test_missing_files(make: Made) -> None:
    folder = make()
    (folder / "variables" / "variables.index").unlink()
    with pytest.raises(CheckpointError, match=r"variables\.index"):
        read_checkpoint(folder)
    (folder / "saved_model.pb").write_bytes(number(1, 1))
    with pytest.raises(CheckpointError, match="holds no graph of a SavedModel"):
        read_checkpoint(folder)
    (folder / "saved_model.pb").unlink()
    with pytest.raises(CheckpointError, match="not a model in a known format"):
        read_checkpoint(folder)


def damaged(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    place = draw.randrange(len(changed))
    kind = draw.randrange(4)
    if kind == 0:
        changed[place] ^= 1 << draw.randrange(8)
    elif kind == 1:
        changed[place : place + 4] = draw.randbytes(4)
    elif kind == 2:
        del changed[place:]
    else:
        changed[place : place + draw.randrange(1, 9)] = b"\xff" * 9
    return bytes(changed)


def test_three_hundred_damaged_files(tmp_path: Path) -> None:
    folder = healthy_saved_model(tmp_path)
    (folder / "keras_metadata.pb").write_bytes(settings(num_layers=5, activation="Text>gelu"))
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".model" and path.name != "variables.data-00000-of-00001"
    ]
    files.append(folder / "saved_model.pb")  # twice as often
    outcomes = set()
    draw = random.Random(7)
    for _ in range(300):
        victim = draw.choice(files)
        whole = victim.read_bytes()
        victim.write_bytes(damaged(whole, draw))
        started = time.process_time()
        try:
            read_checkpoint(folder)
            outcomes.add("read")
        except (CheckpointError, ConfigError) as error:
            outcomes.add(type(error).__name__)
        assert time.process_time() - started < 2
        victim.write_bytes(whole)
    assert "CheckpointError" in outcomes
