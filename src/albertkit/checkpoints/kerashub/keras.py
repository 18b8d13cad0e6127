"""Read and write KerasHub presets: a folder with `config.json`, `model.weights.h5` (or its shards), maybe a task.

KerasHub's ALBERT always has the tanh form of gelu, eps 1e-12 in its norms (1e-5 in that of the MLM head, which has no
setting) and a projection from embedding_size to hidden_size. If the two sizes are equal, the writer adds an identity
with a zero bias, and the reader removes exactly that, as for Hugging Face folders.

A KerasHub preset has one head, the classifier or the MLM head. The writer puts the others into `head.safetensors` under
canonical names; KerasHub ignores that file. Settings that KerasHub lacks (labels, the second dropout) are under
"albertkit" in `metadata.json`, which KerasHub writes but does not read.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from albertkit.checkpoints.checkpoint import READ_AS_IT_IS, Checkpoint, ReadOptions, heads_of
from albertkit.checkpoints.json_files import read_mapping
from albertkit.checkpoints.kerashub.keras_hdf5 import Dataset, list_hdf5, require_h5py, write_hdf5
from albertkit.checkpoints.kerashub.keras_names import (
    BACKBONE,
    TABLE,
    TASK,
    file_paths,
    heads_in,
    plain_names,
    to_canonical,
    to_keras,
)
from albertkit.checkpoints.kerashub.keras_preset import (
    OURS,
    backbone_object,
    extras_of,
    preprocessor_object,
    read_backbone,
    read_extras,
    read_task,
    task_object,
    tokenizer_object,
    unsayable,
)
from albertkit.checkpoints.shapes import encoder_shapes
from albertkit.checkpoints.state import add_identity_projection, check_state, drop_identity_projection, is_deep
from albertkit.checkpoints.tensor_files import read_tensors, write_tensors
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError
from albertkit.io.files import atomic_file, write_json

_WEIGHTS, _SHARDS = "model.weights.h5", "model.weights.json"
_TASK, _TASK_WEIGHTS = "task.json", "task.weights.h5"
_HEADS = "head.safetensors"
_VOCABULARY = "assets/tokenizer/vocabulary.spm"
_PROJECTION = ("embeddings.projection.weight", "embeddings.projection.bias")
_SHARD_FILES = 1000
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

Arrays = tuple[dict[str, Dataset], dict[str, str]]


class KerasFormat:
    """The `Format` of KerasHub presets."""

    holds = f"a KerasHub preset, a folder with config.json and {_WEIGHTS}"
    writes = "folder"

    def matches(self, path: Path) -> bool:
        """Return whether the folder holds Keras weights, or a config.json that keras serialized."""
        if any((path / name).is_file() for name in (_WEIGHTS, _SHARDS)):
            return True
        try:
            return "registered_name" in read_mapping(path / "config.json")
        except CheckpointError:
            return False

    def read(self, path: Path, options: ReadOptions = READ_AS_IT_IS) -> Checkpoint:
        """Read and check a preset; weights stay in the precision of the files.

        Raises:
            CheckpointError: another kind of model; missing, unexpected, mis-shaped or corrupt weights.
            ConfigError: a value of config.json that cannot be.
            MissingExtraError: h5py is not installed.
        """
        notes: list[str] = []
        metadata = path / "metadata.json"
        extras = read_extras(read_mapping(metadata) if metadata.is_file() else {}, where=metadata)
        config = read_backbone(read_mapping(path / "config.json"), extras, where=path / "config.json")
        head, classes = None, None
        if (path / _TASK).is_file():
            head, classes, config = read_task(read_mapping(path / _TASK), config, notes, where=path / _TASK)
        config = options.applied(config)
        if options.activation not in (None, "gelu_new"):
            notes.append(f"the activation is {options.activation}, as asked for; KerasHub's is the tanh form, gelu_new")
        weights = path / (_SHARDS if (path / _SHARDS).is_file() and not (path / _WEIGHTS).is_file() else _WEIGHTS)
        state, paths, strays = _read_backbone(config, weights)
        if head:
            more, task_paths, task_strays = _read_file(
                list_hdf5(path / _TASK_WEIGHTS), TASK, where=path / _TASK_WEIGHTS
            )
            _add(state, more, where=path / _TASK_WEIGHTS)
            paths |= {name: f"{_TASK_WEIGHTS}:{inner}" for name, inner in task_paths.items()}
            strays += [f"{_TASK_WEIGHTS}:{inner}" for inner in task_strays]
        if (path / _HEADS).is_file():
            _add(state, _other_heads(path / _HEADS), where=path / _HEADS)
        config = drop_identity_projection(config, state)
        check_state(
            config,
            state,
            where=str(weights),
            heads=tuple(dict.fromkeys((*([head] if head else []), *heads_of(state)))),
            num_labels=classes,
            name_in_file=lambda name: paths.get(name) or TABLE.to_foreign(name),
        )
        mode = extras.get("tokenizer_mode") or ("keras" if head else "google")
        notes.append(
            "the task was trained on the ids of KerasHub's tokenizer, which does not lowercase: mode keras"
            if mode == "keras"
            else "the text processing is Google's, on which the published weights were trained (mode google); that of "
            "KerasHub does not lowercase (mode keras)"
        )
        vocabulary = path / _VOCABULARY
        return Checkpoint(
            config=config,
            state=state,
            source_format="keras",
            source=str(path),
            labels=tuple(extras.get("labels", ())),
            problem_type=extras.get("problem_type"),
            task=extras.get("task"),
            tokenizer_files={"spiece.model": vocabulary} if vocabulary.is_file() else {},
            tokenizer_mode=mode,
            unexpected=tuple(strays),
            notes=tuple(notes),
        )

    def write(self, checkpoint: Checkpoint, target: Path) -> None:
        """Write a folder that KerasHub loads; the module docstring lists the extra files.

        Raises:
            CheckpointError: a network that KerasHub cannot express, or a state that does not fit its configuration.
            MissingExtraError: h5py is not installed.
            WriteError: the system refused.
        """
        require_h5py()
        config, where = checkpoint.config, checkpoint.source
        unsayable(config, where=where)
        if not checkpoint.has_pooler:
            raise CheckpointError(f"{where}: has no pooler, and KerasHub's ALBERT always has one; write another format")
        check_state(config, checkpoint.state, where=where, heads=checkpoint.heads)
        state = add_identity_projection(config, checkpoint.state)
        word = state["embeddings.word.weight"]
        if odd := [name for name, tensor in state.items() if tensor.dtype not in _FLOATS]:
            raise CheckpointError(f"{where}: {odd[0]} is {state[odd[0]].dtype}, which KerasHub does not hold")
        head = _task_head(checkpoint)
        own = list(dict.fromkeys((*encoder_shapes(config), *_PROJECTION)))
        task = [name for name in state if head and name.startswith(f"heads.{head}.")]
        others = {name: tensor for name, tensor in state.items() if name not in own and name not in task}
        for name in (
            _WEIGHTS,
            _SHARDS,
            _TASK,
            _TASK_WEIGHTS,
            _HEADS,
            "preprocessor.json",
            "tokenizer.json",
            _VOCABULARY,
        ):
            (target / name).unlink(missing_ok=True)  # what an older model left here would be read with this one
        _write_weights(target / _WEIGHTS, own, state, BACKBONE, config.num_attention_heads)
        dtype = str(word.dtype).removeprefix("torch.")
        vocabulary = checkpoint.tokenizer_files.get("spiece.model")
        if vocabulary is not None:
            with atomic_file(target / _VOCABULARY) as temporary:
                shutil.copyfile(vocabulary, temporary)
            write_json(target / "tokenizer.json", tokenizer_object())
        if head:
            _write_weights(target / _TASK_WEIGHTS, task, state, TASK, config.num_attention_heads)
            write_json(target / _TASK, task_object(head, checkpoint, dtype, tokenizer=vocabulary is not None))
            if vocabulary is not None:
                write_json(target / "preprocessor.json", preprocessor_object(head, config))
        if others:
            write_tensors(target / _HEADS, others)
        count = sum(state[name].numel() for name in own)
        write_json(target / "metadata.json", {"parameter_count": count, OURS: extras_of(checkpoint)})
        write_json(target / "config.json", backbone_object(config, dtype))


KERAS = KerasFormat()


def _read_backbone(config: AlbertConfig, path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str], list[str]]:
    """Read the network; see `_read_file` for what comes back."""
    arrays = list_hdf5(path) if path.name == _WEIGHTS else _list_shards(path)
    count = config.num_hidden_groups * config.inner_group_num
    if count > len(arrays[0]):  # before a list of all expected tensors is made
        raise CheckpointError(f"{path}: holds {len(arrays[0])} arrays, too few for the {count} layers of config.json")
    state, paths, strays = _read_file(arrays, BACKBONE, where=path, inner=config.inner_group_num)
    for name, inner in paths.items():
        shown = heads_in(arrays[0][inner].shape) if name.endswith("attention.query.weight") else None
        if shown not in (None, config.num_attention_heads):
            sentence = f"{shown} attention heads in {inner}, not {config.num_attention_heads}"
            raise CheckpointError(f"{path}: has {sentence}; repair num_heads in config.json or leave out --num-heads")
    return state, paths, strays


def _list_shards(index: Path) -> Arrays:
    weight_map = read_mapping(index).get("weight_map")
    owners = list(weight_map.values()) if isinstance(weight_map, dict) else []
    listed = [name for owner in owners for name in (owner if isinstance(owner, list) else [owner])]
    if not listed or not all(isinstance(name, str) for name in listed):
        raise CheckpointError(f'{index}: has no "weight_map" from names to file names; download it again')
    files = list(dict.fromkeys(listed))
    if len(files) > _SHARD_FILES:
        raise CheckpointError(f"{index}: names {len(files)} files, more than Keras makes; download it again")
    datasets: dict[str, Dataset] = {}
    names: dict[str, str] = {}
    for name in files:
        # A name with a folder in it could point anywhere on the machine.
        if name != Path(name).name or "\\" in name or name in ("", ".", ".."):
            raise CheckpointError(f'{index}: names the file "{name:.60}", which is not a plain name inside its folder')
        more, more_names = list_hdf5(index.parent / name)
        if twice := sorted(datasets.keys() & more.keys()):
            raise CheckpointError(f"{index}: {twice[0]} is in two of its files; download them again")
        datasets |= more
        names |= more_names
    return datasets, names


def _read_file(
    arrays: Arrays, layers: Mapping[str, str], *, where: Path, inner: int = 1
) -> tuple[dict[str, torch.Tensor], dict[str, str], list[str]]:
    """Return canonical name -> tensor, canonical name -> path in the file, and the paths that have no place."""
    datasets, names = arrays
    found = plain_names((path for path, entry in datasets.items() if entry.dtype), names, layers=layers, inner=inner)
    paths, _ = TABLE.read(found, where=str(where))
    state = {name: to_canonical(name, datasets[path].load()) for name, path in paths.items()}
    used = set(paths.values())
    return state, paths, [path for path in datasets if path not in used]


def _add(state: dict[str, torch.Tensor], more: Mapping[str, torch.Tensor], *, where: Path) -> None:
    if twice := sorted(state.keys() & more.keys()):
        raise CheckpointError(f"{where}: holds {twice[0]}, which another file of the preset holds too; remove one")
    state.update(more)


def _other_heads(path: Path) -> dict[str, torch.Tensor]:
    tensors = read_tensors(path)
    if strays := [name for name in tensors if not name.startswith("heads.")]:
        raise CheckpointError(f'{path}: holds "{strays[0]}", but only tensors under "heads." belong there')
    return tensors


def _task_head(checkpoint: Checkpoint) -> str | None:
    """Return the head that becomes KerasHub's task: a linear classifier on the pooler, else the MLM head."""
    heads = checkpoint.heads
    linear = not is_deep(checkpoint.state, "classifier") and checkpoint.pooling == "pooler"
    return next((head for head in ("classifier", "mlm") if head in heads and (head == "mlm" or linear)), None)


def _write_weights(
    path: Path, names: Sequence[str], state: Mapping[str, torch.Tensor], layers: Mapping[str, str], heads: int
) -> None:
    paths, groups = file_paths(names, layers)
    write_hdf5(path, {paths[name]: to_keras(name, state[name], heads) for name in names}, groups)
