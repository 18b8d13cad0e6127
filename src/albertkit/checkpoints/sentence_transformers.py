"""Read and write sentence-transformers folders: the network, and the pooling that `modules.json` declares.

modules.json                        the modules in order: Transformer, Pooling, maybe Dense, maybe Normalize
config.json, model.safetensors ..   the transformer, in older folders in `0_Transformer/`
sentence_bert_config.json           in the transformer's folder: max_seq_length, do_lower_case
1_Pooling/config.json               the pooling mode
2_Dense/                            a linear map and its activation: the pooler, which reads the first token, or a map
                                    that only this model has; if both exist, the map is in 3_Dense
config_sentence_transformers.json   prompts

Reading: what the folder declares becomes the entries `embedding` and `max_length` of `task.json`. A module or setting
that would give other vectors is refused by name. Writing: the same in the other direction.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from albertkit.checkpoints.checkpoint import Checkpoint
from albertkit.checkpoints.dense import Dense, FloatArray
from albertkit.checkpoints.json_files import read_json, read_mapping
from albertkit.checkpoints.tensor_files import read_tensors, write_tensors
from albertkit.errors import CheckpointError, UsageError
from albertkit.io.files import write_json

MODULES = "modules.json"
_MAX_LENGTH_FILES = ("sentence_bert_config.json", "sentence_albert_config.json")
_TRANSFORMERS = ("Transformer", "ALBERT")  # the second in folders of 2019 and 2020
_PACKAGE = "sentence_transformers."
_TYPE = "sentence_transformers.models."  # in all versions; newer ones know their new places by it
_PROMPTS = "config_sentence_transformers.json"
_POOLING, _DENSE, _NORMALIZE = "1_Pooling", ("2_Dense", "3_Dense"), "Normalize"
MODULE_FOLDERS = (_POOLING, *_DENSE)
"""Folders that a saved model may have."""
_ACTIVATIONS = {"identity": "torch.nn.modules.linear.Identity", "tanh": "torch.nn.modules.activation.Tanh"}
_VECTOR = "sentence_embedding"  # there the name of a text's vector
_MODES = {"mean": "mean", "mean_tokens": "mean", "cls": "cls", "cls_token": "cls"}  # their name -> ours
_WITHOUT = f"remove {MODULES} to use the encoder without it"


class Declaration(NamedTuple):
    """What a folder declares."""

    values: dict[str, Any]
    """Entries of `task.json`; empty without a `modules.json`."""
    dense: Dense | None
    """The map that follows the pooling."""


def transformer_folder(folder: Path) -> Path:
    """Return where the network of a folder is: in the folder itself, or where its `modules.json` says.

    Raises:
        CheckpointError: a `modules.json` that cannot be followed.
    """
    return _read_modules(folder)[0][1] if (folder / MODULES).is_file() else folder


def declared_embedding(folder: Path, *, state: Mapping[str, torch.Tensor] | None = None) -> Declaration:
    """Return what a folder declares of a text's vector; nothing where it has no `modules.json`.

    Args:
        folder: as sentence-transformers saves it.
        state: the tensors of an ALBERT under canonical names; a Dense module that is its pooler is understood.

    Raises:
        CheckpointError: a module, a pooling mode or a setting that is not supported, or a damaged file.
    """
    if not (folder / MODULES).is_file():
        return Declaration({}, None)
    modules = _read_modules(folder)
    if "Pooling" not in [kind for kind, _ in modules]:
        raise CheckpointError(f"{folder / MODULES}: declares no Pooling after the Transformer; {_WITHOUT}")
    transformer, *rest = modules
    pooling, dense = "", None
    if rest[0][0] == "Pooling":
        pooling = _pooling(rest.pop(0)[1] / "config.json")
        dense = _next_dense(rest)
        if pooling == "cls" and dense is not None and _is_pooler(dense, state or {}):
            pooling, dense = "pooler", _next_dense(rest)
    for kind, place in rest:
        if kind != "Normalize":
            raise CheckpointError(
                f'{folder / MODULES}: declares the module "{kind:.60}" in {place.name or folder.name}, and albertkit '
                f"computes Transformer, Pooling, one Dense and Normalize in this order; {_WITHOUT}"
            )
    _refuse_prompt(folder / _PROMPTS)
    embedding = {"pooling": pooling, "normalize": bool(rest), **({} if dense is None else {"dense": True})}
    length = _max_length(transformer[1])
    return Declaration({"embedding": embedding, **({} if length is None else {"max_length": length})}, dense)


def require_agreement(declared: Mapping[str, Any], said: Mapping[str, Any], *, where: Path) -> None:
    """Refuse a folder whose files tell two things of a text's vector.

    Args:
        declared: what `declared_embedding` gave.
        said: the content of `task.json`.
        where: the folder.

    Raises:
        CheckpointError: they differ.
    """
    for key in ("embedding", "max_length"):
        if key in declared and key in said and declared[key] != said[key]:
            one, other = (json.dumps(values[key]) for values in (declared, said))
            raise CheckpointError(
                f"{where}: {MODULES} and its files say that {key} is {one:.80}, and task.json says {other:.80}; change "
                f"both, or remove {MODULES} to keep what task.json says"
            )


def write_declaration(folder: Path, checkpoint: Checkpoint) -> None:
    """Write what makes sentence-transformers compute a model's vectors; without an embedding, remove what is there.

    Args:
        folder: where the model's other files are.
        checkpoint: the model.

    Raises:
        WriteError: the system refused.
    """
    remove_declaration(folder)
    embedding, width = checkpoint.embedding, checkpoint.config.hidden_size
    if embedding is None or (embedding["pooling"] == "pooler" and not checkpoint.has_pooler):
        return
    pooling = embedding["pooling"]
    flag = "pooling_mode_mean_tokens" if pooling == "mean" else "pooling_mode_cls_token"
    flags = dict.fromkeys(("pooling_mode_cls_token", "pooling_mode_mean_tokens", "pooling_mode_max_tokens"), False)
    (folder / _POOLING).mkdir()
    write_json(folder / _POOLING / "config.json", {"word_embedding_dimension": width, **flags, flag: True})
    modules = [("Transformer", ""), ("Pooling", _POOLING)]
    if pooling == "pooler":
        modules.append(("Dense", f"{len(modules)}_Dense"))
        _write_dense(
            folder / modules[-1][1],
            checkpoint.state["pooler.weight"],
            checkpoint.state["pooler.bias"],
            activation="tanh",
        )
    if checkpoint.dense is not None:
        modules.append(("Dense", f"{len(modules)}_Dense"))
        weight, bias = torch.from_numpy(checkpoint.dense.weight), torch.from_numpy(checkpoint.dense.bias)
        _write_dense(folder / modules[-1][1], weight, bias, activation=checkpoint.dense.activation)
    if embedding["normalize"]:
        place = f"{len(modules)}_{_NORMALIZE}"  # it has no settings, and git keeps no empty folder: none is made
        modules.append((_NORMALIZE, place))
    rows = [
        {"idx": number, "name": str(number), "path": place, "type": _TYPE + kind}
        for number, (kind, place) in enumerate(modules)
    ]
    write_json(folder / MODULES, rows)
    write_json(folder / _MAX_LENGTH_FILES[0], {"max_seq_length": checkpoint.max_length, "do_lower_case": False})
    write_json(folder / _PROMPTS, {"prompts": {}, "default_prompt_name": None, "similarity_fn_name": "cosine"})


def remove_declaration(folder: Path) -> None:
    """Remove what `write_declaration` wrote."""
    for name in (MODULES, _MAX_LENGTH_FILES[0], _PROMPTS):
        (folder / name).unlink(missing_ok=True)
    for name in MODULE_FOLDERS:
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)


def _read_modules(folder: Path) -> list[tuple[str, Path]]:
    """Return kind and folder of each module, in order."""
    path = folder / MODULES
    rows = read_json(path)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise CheckpointError(f"{path}: is not a list of modules; copy or download the file again")
    modules = []
    for row in rows:
        kind, place = row.get("type"), row.get("path", "")
        # A name with a folder in it could point anywhere on the machine.
        if not isinstance(kind, str) or not isinstance(place, str) or place in (".", "..") or set(place) & set("/\\\0"):
            raise CheckpointError(f"{path}: {row!s:.80} is not a module with a type and a path inside the folder")
        if "." in kind and not kind.startswith(_PACKAGE):
            raise CheckpointError(
                f'{path}: the module "{kind:.80}" is another package\'s, whose code is not run; {_WITHOUT}'
            )
        modules.append((kind.rpartition(".")[2], folder / place))
    if modules[0][0] not in _TRANSFORMERS:
        raise CheckpointError(
            f'{path}: begins with the module "{modules[0][0]:.60}", not with a Transformer; {_WITHOUT}'
        )
    return modules


def _pooling(path: Path) -> str:
    values = read_mapping(path)
    mode = values.get("pooling_mode")
    named = [mode] if isinstance(mode, str) else mode
    if named is None:
        flags = {key.removeprefix("pooling_mode_"): on for key, on in values.items() if key.startswith("pooling_mode_")}
        named = [name for name, on in flags.items() if on] if flags else ["mean"]  # the default there
    if not isinstance(named, list) or len(named) != 1 or str(named[0]) not in _MODES:
        shown = " + ".join(map(str, named)) if isinstance(named, list) else str(named)
        raise CheckpointError(f'{path}: the pooling is "{shown:.80}", and albertkit computes mean and cls; {_WITHOUT}')
    return _MODES[str(named[0])]


def _next_dense(modules: list[tuple[str, Path]]) -> Dense | None:
    """Take the next module away and return it, if it is a Dense."""
    return _read_dense(modules.pop(0)[1]) if modules and modules[0][0] == "Dense" else None


def _read_dense(folder: Path) -> Dense:
    path = folder / "config.json"
    values = read_mapping(path)
    said = values.get("activation_function", _ACTIVATIONS["tanh"])  # the default there
    # Both places where torch has the class; a class of another place could compute anything.
    names = {place: name for name, full in _ACTIVATIONS.items() for place in (full, f"torch.nn.{full.split('.')[-1]}")}
    if not isinstance(said, str) or said not in names:
        raise CheckpointError(
            f'{path}: the activation_function is "{said!s:.60}", and albertkit computes Identity and Tanh; {_WITHOUT}'
        )
    for key in ("module_input_name", "module_output_name"):
        if values.get(key) not in (None, _VECTOR):
            raise CheckpointError(f'{path}: {key} is "{values[key]!s:.60}", not "{_VECTOR}"; {_WITHOUT}')
    if values.get("use_residual"):
        raise CheckpointError(f"{path}: use_residual adds the vector to its map, which albertkit does not; {_WITHOUT}")
    shape, has_bias = [values.get("out_features"), values.get("in_features")], values.get("bias", True)
    if not all(type(width) is int for width in shape) or not isinstance(has_bias, bool):
        raise CheckpointError(
            f"{path}: needs in_features and out_features, two whole numbers, and bias, true or false; copy or download "
            "the file again"
        )
    file, older = folder / "model.safetensors", folder / "pytorch_model.bin"
    file = older if older.is_file() and not file.is_file() else file
    tensors = read_tensors(file)
    expected = {"linear.weight": shape, **({"linear.bias": shape[:1]} if has_bias else {})}
    found = {name: list(tensor.shape) for name, tensor in tensors.items()}
    if found != expected or not all(tensor.is_floating_point() for tensor in tensors.values()):
        raise CheckpointError(
            f"{file}: holds {_shapes(found)}, where {path.name} asks for {_shapes(expected)} in floating point; "
            "copy or download both files again"
        )
    weight, *bias = (_array(tensors[name]) for name in expected)
    try:
        return Dense(weight, bias[0] if bias else np.zeros(len(weight), np.float32), names[said])
    except UsageError as error:
        raise CheckpointError(f"{file}: {error}; copy or download it again") from error


def _array(tensor: torch.Tensor) -> FloatArray:
    """Return numbers of any precision in fp32, in memory of their own: the file may go."""
    return np.array(tensor.detach().float().numpy())


def _shapes(found: Mapping[str, list[Any]]) -> str:
    return ", ".join(f"{name:.60} {shape}" for name, shape in sorted(found.items())[:3]) or "nothing"


def _write_dense(folder: Path, weight: torch.Tensor, bias: torch.Tensor, *, activation: str) -> None:
    folder.mkdir()
    write_tensors(folder / "model.safetensors", {"linear.weight": weight, "linear.bias": bias})
    out_features, in_features = weight.shape
    write_json(
        folder / "config.json",
        {
            "in_features": in_features,
            "out_features": out_features,
            "bias": True,
            "activation_function": _ACTIVATIONS[activation],
        },
    )


def _is_pooler(dense: Dense, state: Mapping[str, torch.Tensor]) -> bool:
    """Return whether a Dense module computes what the network's own pooler does."""
    pairs = [(dense.weight, state.get("pooler.weight")), (dense.bias, state.get("pooler.bias"))]
    same = [pooler is not None and np.array_equal(own, _array(pooler)) for own, pooler in pairs]
    return dense.activation == "tanh" and all(same)


def _max_length(transformer: Path) -> int | None:
    path = next((transformer / name for name in _MAX_LENGTH_FILES if (transformer / name).is_file()), None)
    values: Mapping[str, Any] = {} if path is None else read_mapping(path)
    file = transformer / "tokenizer_config.json"
    settings = read_mapping(file) if file.is_file() else {}
    if values.get("do_lower_case") is True and settings.get("do_lower_case") is False:
        raise CheckpointError(
            f"{path}: do_lower_case is true and that of {file.name} false, which is not supported; set both alike"
        )
    length = values.get("max_seq_length")
    if length is None:  # then the tokenizer's counts there; where it has none, it writes a huge number
        length = settings.get("model_max_length")
        return length if type(length) is int and 0 < length < 10**6 else None
    if type(length) is not int or length < 3:
        raise CheckpointError(f"{path}: max_seq_length is {length!r:.40}, not a number of tokens of 3 or more")
    return length


def _refuse_prompt(path: Path) -> None:
    values = read_mapping(path) if path.is_file() else {}
    name, prompts = values.get("default_prompt_name"), values.get("prompts")
    prompt = prompts.get(name) if isinstance(name, str) and isinstance(prompts, dict) else name
    if prompt:
        raise CheckpointError(
            f'{path}: puts the prompt "{prompt!s:.60}" before each text by default, which albertkit does not; set '
            "default_prompt_name to null and put the prompt before the texts yourself"
        )
