"""What saved_model.pb tells: layers, activation, settings; and files that are made to cost."""

from __future__ import annotations

import shutil
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.checkpoints.tensorflow.saved_models import function, graph, made_saved_model, message, node, settings

from albertkit.checkpoints import read_checkpoint
from albertkit.errors import CheckpointError

Made = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Made:
    return partial(made_saved_model, tmp_path / "model")


@pytest.mark.parametrize(
    ("operation", "activation"), [("Tanh", "gelu_new"), ("Erf", "gelu"), ("Erfc", "gelu"), ("Relu", "relu")]
)
@pytest.mark.parametrize("inline", [True, False])
def test_the_graph_tells_layers_and_activation(make: Made, operation: str, activation: str, inline: bool) -> None:
    keras = settings(num_layers=5, activation="gelu", dropout_rate=0.1, attention_dropout_rate=0.2)
    checkpoint = read_checkpoint(make(graph_def=graph(5, operation, inline=inline), keras=keras))
    assert (checkpoint.config.num_hidden_layers, checkpoint.config.hidden_act) == (5, activation)
    assert checkpoint.config.hidden_dropout_prob == 0.1
    assert checkpoint.config.attention_probs_dropout_prob == 0.2
    assert checkpoint.notes == ()


def test_a_model_without_signatures_and_one_that_nothing_tells_the_activation_of(make: Made) -> None:
    library = function("layer", node("s", "Softmax"))
    library += function("encoder", *(node(str(i), "PartitionedCall", calls="layer") for i in range(3)))
    checkpoint = read_checkpoint(make(graph_def=message(2, library)))
    assert (checkpoint.config.num_hidden_layers, checkpoint.config.hidden_act) == (3, "gelu_new")
    assert [note for note in checkpoint.notes if "do not record the activation" in note] == list(checkpoint.notes)


def test_settings_of_keras_serve_where_the_graph_does_not(make: Made, tmp_path: Path) -> None:
    for number_of_it, activation in enumerate(("Text>gelu", {"class_name": "function", "config": "Text>gelu"}, "relu")):
        folder = make(graph_def=b"", keras=settings(num_layers=6, activation=activation))
        checkpoint = read_checkpoint(folder)
        assert checkpoint.config.num_hidden_layers == 6
        assert checkpoint.config.hidden_act == ("relu" if activation == "relu" else "gelu_new")
        assert checkpoint.notes == ()
        folder.rename(tmp_path / f"used-{number_of_it}")


def test_signatures_that_disagree_are_not_believed(make: Made) -> None:
    other = function("twice", *(node(str(i), "PartitionedCall", calls="encoder") for i in range(2)))
    graph_def = graph(5) + message(1, node("call", "PartitionedCall", calls="twice")) + message(2, other)
    with pytest.raises(CheckpointError, match="--num-layers"):
        read_checkpoint(make(graph_def=graph_def))


def test_damaged_settings_of_keras_are_passed_over(make: Made) -> None:
    folder = make(keras=b"\xff\xff")
    assert [note.endswith("(it was ignored)") for note in read_checkpoint(folder).notes] == [True]
    deep = '{"class_name": "AlbertEncoder", "config": ' + "[" * 200_000
    (folder / "keras_metadata.pb").write_bytes(message(1, message(5, deep)))
    assert read_checkpoint(folder).notes == ()


def test_graphs_that_are_made_to_cost(make: Made, tmp_path: Path) -> None:
    def refused(problem: str, graph_def: bytes) -> None:
        folder = make(graph_def=graph_def)
        started = time.process_time()
        with pytest.raises(CheckpointError, match=problem):
            read_checkpoint(folder)
        assert time.process_time() - started < 2
        shutil.rmtree(tmp_path / "model")

    call = message(1, node("c", "PartitionedCall", calls="f0"))
    circle = function("f0", node("c", "PartitionedCall", calls="f1")) + function("f1", node("c", "f0"))
    refused("calls itself", call + message(2, circle))
    doubling = b"".join(
        function(f"f{i}", *(node(str(j), "PartitionedCall", calls=f"f{i + 1}") for j in range(2))) for i in range(3000)
    )
    refused("--num-layers", call + message(2, doubling + function("f3000", node("s", "Softmax"))))
    refused("more parts than any ALBERT has", call + message(2, function("f0", *[node("", "Softmax")] * 300_000)))
    nested = b""
    for _ in range(3000):
        nested = message(2, nested)
    refused("--num-layers", message(2, nested))


def test_a_file_too_large_is_not_read(make: Made) -> None:
    folder = make()
    with (folder / "saved_model.pb").open("r+b") as file:
        file.truncate(10 << 30)  # sparse: it takes no place
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="more than any ALBERT's"):
        read_checkpoint(folder)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
