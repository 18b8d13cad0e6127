"""Read and write Google's checkpoints: a folder with albert_config.json, the vocabulary and model.ckpt-best files.

The weights follow google-research/albert's `modeling.py`. `tf1_names.py` maps the names, and `tensor_bundle.py` reads
the file format. TensorFlow is not needed.

A classifier with one output is either STS-B's regression (`classifier_utils.py`) or RACE's score of a choice
(`race_utils.py`): both are `output_weights` [1, H] on the pooled output. Only RACE's graph takes an argmax. If the
`.meta` file next to the weights contains one, the head is `choice`; otherwise it is a regression.
"""

from __future__ import annotations

import mmap
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from albertkit.checkpoints.checkpoint import READ_AS_IT_IS, Checkpoint, ReadOptions, heads_of
from albertkit.checkpoints.json_files import read_mapping
from albertkit.checkpoints.state import check_state, is_deep
from albertkit.checkpoints.tensorflow.tensor_bundle import Bundle, read_bundle
from albertkit.checkpoints.tensorflow.tensor_bundle_writer import write_bundle
from albertkit.checkpoints.tensorflow.tf1_config import read_tf1_config, tf1_config_values
from albertkit.checkpoints.tensorflow.tf1_folder import find_config, find_prefix, find_tokenizer_files, is_checkpoint
from albertkit.checkpoints.tensorflow.tf1_names import (
    HEADS,
    TABLE,
    is_bookkeeping,
    plain_name,
    to_canonical_state,
    to_tf1_variables,
)
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError
from albertkit.io.files import atomic_file, write_json, write_text

_PREFIX = "model.ckpt-best"
_VOCABULARIES = {"spiece.model": "30k-clean.model", "vocab.txt": "vocab.txt"}
_POOLED_HEADS = ("sop", "classifier", "choice")
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_RACE = b"loss/ArgMax"


class TF1Format:
    """The `Format` of google-research/albert's checkpoints."""

    holds = "a folder with albert_config.json, model.ckpt-best.index and model.ckpt-best.data-00000-of-00001"
    writes = "folder"

    def matches(self, path: Path) -> bool:
        """Return whether the path is such a folder, the prefix of a checkpoint (`model.ckpt-best`) or a file of it."""
        return is_checkpoint(path)

    def read(self, path: Path, options: ReadOptions = READ_AS_IT_IS) -> Checkpoint:
        """Read and check a checkpoint; tensors are memory-mapped, kernels as turned views.

        Raises:
            CheckpointError: a file is absent or corrupt; missing or mis-shaped variables; another kind of checkpoint.
            ConfigError: a value of albert_config.json that cannot be.
        """
        notes: list[str] = []
        prefix = find_prefix(path, notes)
        file = find_config(prefix.parent)
        config = read_tf1_config(read_mapping(file), options, notes, where=file)
        return read_variables(
            read_bundle(prefix),
            config,
            source_format="tf1",
            source=str(path),
            tokenizer_files=find_tokenizer_files(prefix.parent, notes),
            notes=notes,
        )

    def write(self, checkpoint: Checkpoint, target: Path) -> None:
        """Write a folder that TensorFlow and google-research/albert's scripts load.

        Names of labels are left out: Google's code has them in its own source, by task.

        Raises:
            CheckpointError: a head, an activation or a constant that Google's code cannot have.
            WriteError: the system refused.
        """
        source, heads = checkpoint.source, checkpoint.heads
        pooler = checkpoint.has_pooler or any(head in _POOLED_HEADS for head in heads)
        check_state(checkpoint.config, checkpoint.state, where=source, heads=heads, pooler=pooler)
        _refuse_foreign_heads(checkpoint)
        values = tf1_config_values(checkpoint.config, where=source)
        # Google's graph declares 32 bits; 16 widen to them without a change, 64 are rounded.
        variables = to_tf1_variables({name: tensor.to(torch.float32) for name, tensor in checkpoint.state.items()})
        write_bundle(target / _PREFIX, variables)
        write_text(
            target / "checkpoint",
            f'model_checkpoint_path: "{_PREFIX}"\nall_model_checkpoint_paths: "{_PREFIX}"\n',
        )
        for name, file in checkpoint.tokenizer_files.items():
            if name in _VOCABULARIES:
                with atomic_file(target / _VOCABULARIES[name]) as temporary:
                    shutil.copyfile(file, temporary)
        write_json(target / "albert_config.json", values)


TF1 = TF1Format()


def read_variables(
    bundle: Bundle,
    config: AlbertConfig,
    *,
    source_format: str,
    source: str,
    tokenizer_files: dict[str, Path],
    notes: Sequence[str],
) -> Checkpoint:
    """Read the variables of a network from a bundle and check them.

    Args:
        bundle: the opened checkpoint.
        config: the network; a longer position table than it says is followed.
        source_format: name of the format.
        source: where the whole was read from.
        tokenizer_files: see `Checkpoint`.
        notes: sentences so far.

    Raises:
        CheckpointError: missing, mis-shaped or damaged variables, all in one error.
    """
    notes = list(notes)
    entries, index = bundle.entries, bundle.index
    network = [name for name in entries if not is_bookkeeping(name, entries)]
    known = [name for name in network if TABLE.to_canonical(plain_name(name)) is not None]
    if not known and _OBJECT_GRAPH in entries:
        raise CheckpointError(
            f"{index}: is a checkpoint of TensorFlow 2's objects without Google's names; give the folder of the "
            "saved model, or export the model as one"
        )
    layers = config.num_hidden_groups * config.inner_group_num
    if layers > len(entries):  # before a list of that many names is made
        raise CheckpointError(
            f"{index}: holds {len(entries)} tensors, too few for the {layers} layers of the configuration"
        )
    config = _with_longer_positions(config, bundle, known, notes)
    state, _ = to_canonical_state({name: bundle.tensor(name) for name in known}, where=str(index))
    unexpected = tuple(name for name in network if TABLE.to_canonical(plain_name(name)) is None)
    if passed := len(entries) - len(network):
        notes.append(f"{_variables(passed)} ignored, since they belong to the training run (optimizer, step counter)")
    if unexpected:
        names = ", ".join(f'"{name}"' for name in unexpected[:3]) + (", .." if len(unexpected) > 3 else "")
        notes.append(f"{_variables(len(unexpected))} ignored, since ALBERT has no such variables: {names}")
    state, problem_type = _one_output(state, bundle, notes)
    heads = heads_of(state)
    pooler = any(head in _POOLED_HEADS for head in heads) or any(name.startswith("pooler.") for name in state)
    if not pooler:
        notes.append(f"{index.name} holds no pooler")
    check_state(config, state, where=str(index), heads=heads, pooler=pooler, name_in_file=TABLE.to_foreign)
    return Checkpoint(
        config=config,
        state=state,
        source_format=source_format,
        source=source,
        problem_type=problem_type,
        tokenizer_files=tokenizer_files,
        tokenizer_mode="google",
        unexpected=unexpected,
        notes=tuple(notes),
    )


def _variables(count: int) -> str:
    return "1 variable was" if count == 1 else f"{count} variables were"


def _with_longer_positions(config: AlbertConfig, bundle: Bundle, known: list[str], notes: list[str]) -> AlbertConfig:
    name = next((name for name in known if plain_name(name) == "bert/embeddings/position_embeddings"), None)
    shape = bundle.entries[name].shape if name is not None else ()
    if len(shape) != 2 or shape[0] <= config.max_position_embeddings:
        return config
    notes.append(
        f"the table of positions has {shape[0]} rows and the configuration says {config.max_position_embeddings}; "
        "the table's size is used"
    )
    return replace(config, max_position_embeddings=shape[0])


def _one_output(
    state: dict[str, torch.Tensor], bundle: Bundle, notes: list[str]
) -> tuple[dict[str, torch.Tensor], str | None]:
    """Return the state and the problem type that `output_weights` implies; see the module docstring."""
    weight = state.get("heads.classifier.weight")
    if weight is None:
        return state, None
    if weight.ndim != 2 or len(weight) != 1:
        return state, "single_label_classification"
    if _holds(bundle.prefix.with_name(bundle.prefix.name + ".meta"), _RACE):
        return {name.replace("heads.classifier.", "heads.choice."): tensor for name, tensor in state.items()}, None
    notes.append(
        "the classifier has one output and was read as the regression of STS-B; only the .meta file tells a RACE "
        "model from it"
    )
    return state, "regression"


def _holds(path: Path, text: bytes) -> bool:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content[: 1 << 28].find(text) >= 0 if len(content) > 1 << 28 else content.find(text) >= 0
    except (OSError, ValueError):  # absent or empty: it says nothing
        return False


_READ = {"mean": "mean of the last states", "cls": "state of [CLS]", "pair": "mean of each of two texts"}


def _refuse_foreign_heads(checkpoint: Checkpoint) -> None:
    source, heads = checkpoint.source, checkpoint.heads
    for head in heads:
        if head not in HEADS or is_deep(checkpoint.state, head):
            kind = "deep " if is_deep(checkpoint.state, head) else ""
            raise CheckpointError(
                f'{source}: its {kind}head "{head}" cannot be stored in Google\'s format, which has '
                f"{', '.join(HEADS)}; keep the Hugging Face folder"
            )
    if {"classifier", "choice"} <= set(heads):
        raise CheckpointError(
            f'{source}: its heads "classifier" and "choice" have one name in Google\'s files; keep one'
        )
    tasks = [head for head in heads if head not in ("mlm", "sop")]
    if tasks and checkpoint.pooling != "pooler":
        raise CheckpointError(
            f'{source}: its head "{tasks[0]}" reads the {_READ.get(checkpoint.pooling, checkpoint.pooling)}, and '
            "Google's format can only store heads that read the pooler's output; keep the Hugging Face folder, or "
            "train with --pooling pooler"
        )
    if checkpoint.problem_type == "multi_label_classification":
        raise CheckpointError(
            f"{source}: is a multi-label classifier, and Google's code has none; convert to huggingface"
        )
