"""TF1 hub modules: tfhub_module.pb, variables/ and assets/, as google-research/albert's `export_to_tfhub.py` makes.

The variables are those of a checkpoint, some under `module/`. Modules without albert_config.json among the assets give
their sizes by the shapes of the variables; layers and heads, which no shape tells, are those of the published model of
that width, or the user's.
"""

from __future__ import annotations

import re
from pathlib import Path

from albertkit.checkpoints.checkpoint import READ_AS_IT_IS, Checkpoint, ReadOptions
from albertkit.checkpoints.json_files import read_mapping
from albertkit.checkpoints.tensorflow.tensor_bundle import Bundle, read_bundle
from albertkit.checkpoints.tensorflow.tf1 import read_variables
from albertkit.checkpoints.tensorflow.tf1_config import read_tf1_config
from albertkit.checkpoints.tensorflow.tf1_folder import find_tokenizer_files
from albertkit.checkpoints.tensorflow.tf1_names import plain_name
from albertkit.config import PUBLISHED, AlbertConfig
from albertkit.errors import CheckpointError

_LAYER = re.compile(r"bert/encoder/transformer/group_(\d{1,4})/inner_group_(\d{1,4})/")
_CHINESE = 21128  # pieces of the Chinese models, which have relu
_FIRST = "bert/encoder/transformer/group_0/inner_group_0/ffn_1/intermediate/dense/kernel"


class Hub1Format:
    """The `Format` of TF1 hub modules, which is only read."""

    holds = "a folder with tfhub_module.pb and variables/variables.index"
    writes = None

    def matches(self, path: Path) -> bool:
        """Return whether the folder is a TF1 hub module; modules of TensorFlow 2 have no tfhub_module.pb."""
        return (path / "tfhub_module.pb").is_file()

    def read(self, path: Path, options: ReadOptions = READ_AS_IT_IS) -> Checkpoint:
        """Read and check a module.

        Raises:
            CheckpointError: a file is absent or corrupt; missing or mis-shaped variables; a network of unknown depth.
            ConfigError: a value of the configuration that cannot be.
        """
        notes: list[str] = []
        bundle = read_bundle(path / "variables" / "variables")
        assets = path / "assets"
        file = assets / "albert_config.json"
        if file.is_file():
            config = read_tf1_config(read_mapping(file), options, notes, where=file)
        else:
            config = config_from_shapes(bundle, options, notes)
        return read_variables(
            bundle,
            config,
            source_format="hub1",
            source=str(path),
            tokenizer_files=find_tokenizer_files(assets, notes),
            notes=notes,
        )

    def write(self, checkpoint: Checkpoint, target: Path) -> None:  # noqa: ARG002
        """Refuse: a module needs a graph, which only TensorFlow makes.

        Raises:
            CheckpointError: always.
        """
        raise CheckpointError(
            f"{target}: TF1 hub modules are only read; convert to tf1 and run Google's export_to_tfhub.py"
        )


HUB1 = Hub1Format()


def config_from_shapes(bundle: Bundle, options: ReadOptions, notes: list[str]) -> AlbertConfig:
    """Return the network that the variables' shapes tell, with layers and heads of the published model of that width.

    Args:
        bundle: the opened checkpoint.
        options: what the user says.
        notes: takes a sentence that says what was taken.

    Raises:
        CheckpointError: a variable is missing, or the width is of no published model and the user says nothing.
    """
    shapes = {plain_name(name): entry.shape for name, entry in bundle.entries.items()}

    def matrix(name: str) -> tuple[int, int]:
        shape = shapes.get(name, ())
        if len(shape) != 2:
            raise CheckpointError(
                f"{bundle.index}: has no matrix {name}, and no albert_config.json says the network's shape; "
                "is this an ALBERT module?"
            )
        return shape[0], shape[1]

    vocabulary, embedding = matrix("bert/embeddings/word_embeddings")
    hidden, intermediate = matrix(_FIRST)
    places = [found for name in shapes if (found := _LAYER.match(name))]
    likely = next((config for config in PUBLISHED.values() if config.hidden_size == hidden), None)
    named = "" if likely is None else next(name for name, config in PUBLISHED.items() if config is likely)
    unsaid = [
        option
        for option, said in (("--num-layers", options.num_layers), ("--num-heads", options.num_heads))
        if said is None and likely is None
    ]
    if unsaid:
        raise CheckpointError(
            f"{bundle.index.parent.parent}: has no assets/albert_config.json, and no published model has hidden_size "
            f"{hidden}; pass {' and '.join(unsaid)}"
        )
    like = AlbertConfig() if likely is None else likely
    activation = options.activation or ("relu" if vocabulary == _CHINESE else "gelu_new")
    taken = f"layers and heads like {named}" if likely else "layers and heads as given"
    notes.append(f"the module has no albert_config.json: sizes come from the weights, {taken}, activation {activation}")
    return AlbertConfig(
        vocab_size=vocabulary,
        embedding_size=embedding,
        hidden_size=hidden,
        num_hidden_layers=options.num_layers or like.num_hidden_layers,
        num_hidden_groups=1 + max((int(found[1]) for found in places), default=0),
        num_attention_heads=options.num_heads or like.num_attention_heads,
        intermediate_size=intermediate,
        inner_group_num=1 + max((int(found[2]) for found in places), default=0),
        hidden_act=activation,
        max_position_embeddings=matrix("bert/embeddings/position_embeddings")[0],
        type_vocab_size=matrix("bert/embeddings/token_type_embeddings")[0],
    )
