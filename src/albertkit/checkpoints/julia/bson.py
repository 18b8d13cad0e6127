"""ALBERT.jl's files: one BSON file with the configuration, the weights under Google's names, and the vocabulary.

They are made by `tfckpt2bsonforalbert(path; raw = true)` of ALBERT.jl (`src/tfckpt2bsonforalbert.jl`), which saves
every variable of a checkpoint of Google's as its adjoint: Julia's indices are those of TensorFlow in reverse, and since
Julia's first index runs fastest the bytes are TensorFlow's own. A vector of n values becomes a matrix of 1 x n.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from albertkit.checkpoints.checkpoint import READ_AS_IT_IS, Checkpoint, ReadOptions, heads_of
from albertkit.checkpoints.julia.bson_file import looks_like_bson, read_bson, write_bson
from albertkit.checkpoints.julia.bson_julia import JuliaValues, julia_array, julia_dictionary
from albertkit.checkpoints.julia.bson_vocabulary import tokenizer_files, vocabulary_lines
from albertkit.checkpoints.state import check_state, is_deep
from albertkit.checkpoints.tensorflow.tf1_config import read_tf1_config, tf1_config_values
from albertkit.checkpoints.tensorflow.tf1_names import (
    TABLE,
    is_bookkeeping,
    plain_name,
    to_canonical_state,
    to_tf1_variables,
)
from albertkit.errors import CheckpointError, UsageError
from albertkit.io.files import atomic_file

_SUFFIXES = (".bson", ".tfbson")
_PARTS = ("config", "weights", "vocab")
_VECTORS = ("bias", "beta", "gamma", "output_bias")
_POOLED_HEADS = ("sop", "classifier")
_HEADS = ("mlm", "sop", "classifier", "span", "answer")


class BSONFormat:
    """The `Format` of ALBERT.jl's files."""

    holds = "a .bson or .tfbson file of ALBERT.jl with config, weights and vocab"
    writes = "file"

    def matches(self, path: Path) -> bool:
        """Return whether the file looks like a BSON checkpoint, by its name and first bytes."""
        return path.suffix in _SUFFIXES and path.is_file() and looks_like_bson(path)

    def read(self, path: Path, options: ReadOptions = READ_AS_IT_IS) -> Checkpoint:
        """Read and check a file.

        Raises:
            CheckpointError: another kind of BSON file; damaged; missing, unexpected or mis-shaped variables.
            ConfigError: a value of the configuration that cannot be.
        """
        document = read_bson(path)
        julia = JuliaValues(document, path)
        if lacking := [part for part in _PARTS[:2] if part not in document]:
            there = ", ".join(name for name in list(document)[:5] if name != "_backrefs")
            raise julia.error(f"holds no {' and no '.join(lacking)} but {there or 'nothing'}"[:200])
        notes: list[str] = []
        values = julia.mapping(document["config"], what="config")
        values = {name: _plain(julia.resolved(value)) for name, value in values.items() if name != "filename"}
        config = read_tf1_config(values, options, notes, where=path)
        weights = julia.mapping(document["weights"], what="weights")
        if config.num_hidden_groups * config.inner_group_num > len(weights):  # before a list of all names is made
            raise CheckpointError(f"{path}: holds {len(weights)} variables, too few for the layers of its config")
        variables, unexpected = _read_variables(julia, weights)
        state, unknown = to_canonical_state(variables, where=str(path))
        assert not unknown, unknown
        heads = heads_of(state)
        pooler = any(head in _POOLED_HEADS for head in heads) or any(name.startswith("pooler.") for name in state)
        check_state(config, state, where=str(path), heads=heads, pooler=pooler, name_in_file=TABLE.to_foreign)
        classifier = state.get("heads.classifier.bias")
        if len(weights) > len(variables) + len(unexpected):
            notes.append(f"{len(weights) - len(variables) - len(unexpected)} values of the training run were ignored")
        lines = julia.items(document.get("vocab", []), what="vocab")
        if not all(isinstance(line, str) for line in lines):
            raise julia.error("vocab holds something other than lines of text")
        files, keeper = tokenizer_files(lines, config.vocab_size, notes)
        return Checkpoint(
            config=config,
            state=state,
            source_format="bson",
            source=str(path),
            problem_type="regression" if classifier is not None and len(classifier) == 1 else None,
            tokenizer_files=files,
            tokenizer_mode="google",
            unexpected=unexpected,
            resources=keeper,
            notes=tuple(notes),
        )

    def write(self, checkpoint: Checkpoint, target: Path) -> None:
        """Write one file that BSON.jl loads.

        Values of 16 bits are widened to 32 without a change; names of labels have no place.

        Raises:
            CheckpointError: a head, an activation or a constant that Google's code cannot have.
            UsageError: the name has no ending by which the file would be known again.
            WriteError: the system refused.
        """
        if target.suffix not in _SUFFIXES:
            raise UsageError(f"{target}: a BSON model needs the extension .bson; name it {target.name}.bson")
        where, heads = checkpoint.source, checkpoint.heads
        pooler = checkpoint.has_pooler or any(head in _POOLED_HEADS for head in heads)
        check_state(checkpoint.config, checkpoint.state, where=where, heads=heads, pooler=pooler)
        for head in heads:
            reads_else = head == "classifier" and checkpoint.pooling != "pooler"
            if head not in _HEADS or is_deep(checkpoint.state, head) or reads_else:
                raise CheckpointError(
                    f'{where}: its head "{head}" cannot be stored under Google\'s names, which ALBERT.jl uses; '
                    "convert to huggingface instead"
                )
        config = {**tf1_config_values(checkpoint.config, where=where), "filename": target.stem}
        arrays = {}
        for name, tensor in to_tf1_variables(checkpoint.state).items():
            wide = tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
            # As ALBERT.jl has it, a vector is a matrix of one row.
            arrays[name] = julia_array((wide[:, None] if wide.ndim == 1 else wide).detach().cpu().numpy())
        document = {
            "config": julia_dictionary(config),
            "weights": julia_dictionary(arrays),
            "vocab": vocabulary_lines(checkpoint.tokenizer_files),
        }
        with atomic_file(target) as temporary, temporary.open("wb") as file:
            write_bson(file, document, where=where)


BSON = BSONFormat()


def _plain(value: Any) -> Any:
    """Return a configuration value as a JSON type; the check of the configuration reports anything else."""
    return value if isinstance(value, (int, float, type(None))) or value == [] else str(value)[:60]


def _read_variables(julia: JuliaValues, weights: Mapping[str, Any]) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """Return the variables of the network as TensorFlow holds them, and the names that have no place."""
    variables: dict[str, torch.Tensor] = {}
    unexpected: list[str] = []
    for name, value in weights.items():
        if is_bookkeeping(name, weights):
            continue
        if TABLE.to_canonical(plain_name(name)) is None:
            unexpected.append(name)
            continue
        array = julia.array(value, what=name)
        if name.rpartition("/")[2] in _VECTORS and array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        variables[name] = torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))  # a copy, aligned
    return variables, tuple(unexpected)
