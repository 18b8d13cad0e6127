"""TF2 SavedModels of TensorFlow Hub (`albert_en_base` and kin), as official/nlp/tools/export_tfhub_lib.py writes them.

    saved_model.pb            the graph: names of the variables, how often the shared layer is applied, the activation
    keras_metadata.pb         settings of the layers (not with every version of TensorFlow)
    variables/variables.*     the weights, in a tensor bundle with keys that are paths through objects
    assets/                   the SentencePiece model, under whatever name

There is one group with one layer. Kernels have a separate axis for the heads, so only this format stores their number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from albertkit.checkpoints.checkpoint import READ_AS_IT_IS, Checkpoint, ReadOptions, heads_of
from albertkit.checkpoints.state import check_state
from albertkit.checkpoints.tensorflow.object_graph import GRAPH_KEY, MessageReader, names_of_keys, read_object_graph
from albertkit.checkpoints.tensorflow.saved_model_graph import SavedModelGraph, read_saved_model
from albertkit.checkpoints.tensorflow.tensor_bundle import Bundle, read_bundle
from albertkit.checkpoints.tensorflow.tfhub2_names import TODAYS, canonical_name, number_of_heads, to_canonical
from albertkit.config import LARGEST, PUBLISHED, AlbertConfig
from albertkit.errors import CheckpointError, ConfigError

Shapes = Mapping[str, tuple[int, ...]]

_LAYER = "groups.0.layers.0"
_QUERY, _UP = f"{_LAYER}.attention.query.weight", f"{_LAYER}.ffn.up.weight"
_TABLES = ("embeddings.word.weight", "embeddings.position.weight", "embeddings.token_type.weight")
_NEEDED = (*_TABLES, _QUERY, _UP)
_MOST_LAYERS = LARGEST["num_hidden_layers"]  # of a count that is believed
# Keys and names of what training leaves: slots of Keras's optimizers, old and new, and counters.
_OF_TRAINING = re.compile(
    r"\.OPTIMIZER_SLOT/|(^|/)_?optimizer/|^(save_counter|global_step|step)(/|$)|^(adam\w*|lamb|sgd)(_\d+)?/",
    re.IGNORECASE,
)
_KNOWN_MODELS = ("30k-clean.model", "spiece.model")


class TfHub2Format:
    """The `Format` of TF2 SavedModels, which is only read."""

    holds = "a folder with saved_model.pb and variables/variables.index (TF Hub 2)"
    writes = None

    def matches(self, path: Path) -> bool:
        """Return whether the folder is a SavedModel and not a module of TF1's hub."""
        return (path / "saved_model.pb").is_file() and not (path / "tfhub_module.pb").exists()

    def read(self, path: Path, options: ReadOptions = READ_AS_IT_IS) -> Checkpoint:
        """Read and check a folder.

        Raises:
            CheckpointError: another kind of model, a corrupt file, missing or mis-shaped weights, or a number of layers
                that nothing tells.
            ConfigError: invalid sizes.
        """
        graph = read_saved_model(path)
        bundle = read_bundle(path / "variables" / "variables")
        notes = list(graph.notes)
        keys, names, unexpected = _sort_keys(bundle, graph, notes)
        shapes = {name: bundle.entries[key].shape for name, key in keys.items()}
        _check_kind(shapes, unexpected, where=bundle.index)
        try:
            config = _config(shapes, graph, options, notes, where=path)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
        state = {name: to_canonical(name, bundle.tensor(key)) for name, key in keys.items()}
        pooler = any(name.startswith("pooler.") for name in state)
        if not pooler:
            notes.append(f"{bundle.index.name} holds no pooler")
        check_state(
            config,
            state,
            where=str(bundle.index),
            heads=heads_of(state),
            pooler=pooler,
            name_in_file=lambda name: names.get(name) or TODAYS.get(name),
        )
        tokenizer_files = _tokenizer_files(path / "assets", graph.assets, notes)
        return Checkpoint(
            config=config,
            state=state,
            source_format="tfhub2",
            source=str(path),
            tokenizer_files=tokenizer_files,
            # Its users' ids came from albert_en_preprocess; a WordPiece vocabulary has one way of its own.
            tokenizer_mode=None if "vocab.txt" in tokenizer_files else "tfhub",
            unexpected=unexpected,
            notes=tuple(notes),
        )

    def write(self, checkpoint: Checkpoint, target: Path) -> None:  # noqa: ARG002
        """Refuse: the functions of a SavedModel cannot be written without TensorFlow.

        Raises:
            CheckpointError: always.
        """
        raise CheckpointError(f"{target}: a TF2 SavedModel cannot be written; choose another format (--to tf1)")


TFHUB2 = TfHub2Format()


def _sort_keys(
    bundle: Bundle, graph: SavedModelGraph, notes: list[str]
) -> tuple[dict[str, str], dict[str, str], tuple[str, ...]]:
    """Return canonical name -> key, canonical name -> name in the file, and the names of what has no place."""
    tracked = None
    if GRAPH_KEY in bundle.entries:
        tracked = read_object_graph(bundle.bytes(GRAPH_KEY), MessageReader(f"{bundle.index} ({GRAPH_KEY})"))
    keys: dict[str, str] = {}
    names: dict[str, str] = {}
    unexpected: list[str] = []
    of_training = 0
    everything = [key for key in bundle.entries if key != GRAPH_KEY]
    for key, candidates in names_of_keys(everything, tracked, graph.objects).items():
        if any(_OF_TRAINING.search(name) for name in (key, *candidates)):
            of_training += 1
            continue
        known = {name: canonical for name in candidates if (canonical := canonical_name(name))}
        if len(set(known.values())) > 1:
            raise CheckpointError(
                f'{bundle.index}: "{key}" is called {" and ".join(known)} in the two graphs; copy or download it again'
            )
        if not known:
            unexpected.append(next(iter(candidates), key))
            continue
        name, canonical = next(iter(known.items()))
        if canonical in keys:
            raise CheckpointError(
                f'{bundle.index}: "{key}" ({name}) is a second tensor for {canonical}, the first is '
                f'"{keys[canonical]}"; the folder must hold one model'
            )
        keys[canonical], names[canonical] = key, name
    if of_training:
        notes.append(f"{of_training} variables of the training (optimizer slots, counters) were ignored")
    if unexpected:
        more = f" and {len(unexpected) - 3} more" if len(unexpected) > 3 else ""
        listed = ", ".join(f'"{name[:80]}"' for name in unexpected[:3])
        notes.append(f"ignored, since no ALBERT has it: {listed}{more}")
    return keys, names, tuple(unexpected)


def _check_kind(shapes: Shapes, unexpected: tuple[str, ...], *, where: Path) -> None:
    """Refuse a model of another kind in one sentence, instead of reporting hundreds of missing tensors."""
    missing = [TODAYS[name] for name in _NEEDED if len(shapes.get(name, ())) < 2]
    if not missing:
        return
    why = ""
    if any(re.search(r"(^|/)layer_\d+/", name) for name in unexpected):
        why = "; its layers do not share their weights, as BERT's"
    elif unexpected:
        why = f'; it holds "{unexpected[0][:80]}"'
    raise CheckpointError(
        f"{where}: has no {', '.join(missing)}, so it is not an ALBERT encoder of the TensorFlow Model Garden{why}"
    )


def _config(
    shapes: Shapes, graph: SavedModelGraph, options: ReadOptions, notes: list[str], *, where: Path
) -> AlbertConfig:
    hidden = shapes[_QUERY][0]
    word, position, token_type = (shapes[name] for name in _TABLES)
    return AlbertConfig(
        vocab_size=word[0],
        embedding_size=word[1],
        hidden_size=hidden,
        num_hidden_layers=_layers(hidden, graph, options, notes, where=where),
        num_attention_heads=_heads(shapes, graph, options, notes, where=where),
        intermediate_size=shapes[_UP][1],
        hidden_act=_activation(graph, options, notes, pooler="pooler.weight" in shapes),
        max_position_embeddings=position[0],
        type_vocab_size=token_type[0],
        layer_norm_eps=1e-12,
        **_training_settings(graph.settings),
    )


def _layers(hidden: int, graph: SavedModelGraph, options: ReadOptions, notes: list[str], *, where: Path) -> int:
    counted = graph.operations.get("Softmax", 0)
    counted = counted if counted <= _MOST_LAYERS else 0
    said = graph.settings.get("num_layers")
    said = said if type(said) is int and 0 < said <= _MOST_LAYERS else 0
    if options.num_layers is not None:
        if (counted or said) not in (0, options.num_layers):
            notes.append(
                f"the files apply the layer {counted or said} times; {options.num_layers}, as asked for, is used"
            )
        return options.num_layers
    if counted:
        if said not in (0, counted):
            notes.append(f"Keras's settings say {said} layers, the graph applies {counted}; the graph's number is used")
        return counted
    if said:
        return said
    published = {config.hidden_size: config.num_hidden_layers for config in PUBLISHED.values()}
    if hidden not in published:
        raise CheckpointError(
            f"{where}: the files do not record how often the shared layer is applied, and no published model has "
            f"hidden_size {hidden}; give the number with --num-layers"
        )
    notes.append(
        f"the files do not record the number of layers; {published[hidden]}, published for this width, is used"
    )
    return published[hidden]


def _heads(shapes: Shapes, graph: SavedModelGraph, options: ReadOptions, notes: list[str], *, where: Path) -> int:
    shown = number_of_heads(shapes, where=str(where))
    if options.num_heads is not None:
        if shown not in (None, options.num_heads):
            notes.append(f"the kernels have {shown} heads; {options.num_heads}, as asked for, are used")
        return options.num_heads
    said = graph.settings.get("num_attention_heads")
    if shown is None and type(said) is int:
        return said
    if shown is None:
        raise CheckpointError(
            f"{where}: its kernels are flat, so the number of heads is unknown; give it with --num-heads"
        )
    return shown


def _activation(graph: SavedModelGraph, options: ReadOptions, notes: list[str], *, pooler: bool) -> str:
    """Take the activation from the operations: each application of the layer has one, and the pooler one Tanh more."""
    count, applied = graph.operations.get, graph.operations.get("Softmax", 0)
    done = {
        "gelu": count("Erf", 0) + count("Erfc", 0) >= applied,
        "gelu_new": count("Tanh", 0) >= applied + pooler,
        "relu": count("Relu", 0) >= applied,
    }
    found = [name for name, there in done.items() if there and applied]
    if len(found) != 1:
        said = graph.settings.get("activation")
        said = said.get("config") if isinstance(said, dict) else said
        # "Text>gelu" is official/modeling/activations/gelu.py, the tanh form; a bare "gelu" has been both.
        found = [{"Text>gelu": "gelu_new", "relu": "relu"}[said]] if said in ("Text>gelu", "relu") else []
    if options.activation is not None:
        if found and found != [options.activation]:
            notes.append(f"the graph computes {found[0]}; {options.activation}, as asked for, is used")
        return options.activation
    if not found:
        notes.append("the files do not record the activation; gelu_new is used, as in all published TF Hub models")
    return found[0] if found else "gelu_new"


def _training_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Keras noted for training, where it is a number that can be."""
    given: dict[str, Any] = {}
    for ours, theirs in (
        ("hidden_dropout_prob", "dropout_rate"),
        ("attention_probs_dropout_prob", "attention_dropout_rate"),
    ):
        rate = settings.get(theirs)
        if isinstance(rate, (int, float)) and 0 <= rate < 1:
            given[ours] = float(rate)
    initializer = settings.get("initializer")
    arguments = initializer.get("config") if isinstance(initializer, dict) else None
    deviation = arguments.get("stddev") if isinstance(arguments, dict) else None
    if isinstance(deviation, (int, float)) and 0 < deviation < math.inf:
        given["initializer_range"] = float(deviation)
    return given


def _tokenizer_files(assets: Path, named: Mapping[str, str], notes: list[str]) -> dict[str, Path]:
    """Find the vocabulary: what the graph calls so, else the SentencePiece model or vocab.txt in `assets/`."""
    for attribute, ours in (("sp_model_file", "spiece.model"), ("vocab_file", "vocab.txt")):
        name = named.get(attribute, "")
        # A name with a folder in it could point anywhere on the machine.
        if name and name == Path(name).name and "\\" not in name and (assets / name).is_file():
            return {ours: assets / name}
    files = sorted(path for path in assets.iterdir() if path.is_file()) if assets.is_dir() else []
    models = [path for path in files if path.suffix in (".model", ".spm")]
    if models:
        known = [path for path in models if path.name in _KNOWN_MODELS]
        chosen = (known or sorted(models, key=lambda path: path.stat().st_size, reverse=True))[0]
        if len(models) > 1:
            notes.append(f"assets holds {len(models)} SentencePiece models; {chosen.name} is used")
        return {"spiece.model": chosen}
    vocabularies = [path for path in files if re.fullmatch(r"vocab.*\.txt", path.name)]
    return {"vocab.txt": vocabularies[0]} if vocabularies else {}
