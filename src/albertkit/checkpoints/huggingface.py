"""Read and write Hugging Face folders of every ALBERT class: `config.json` and safetensors or `pytorch_model.bin`.

Two extra files hold what transformers cannot express: `head.safetensors` (heads under canonical names) and `task.json`.

If the weights lack a head that a transformers class has, transformers fills it with random numbers. To prevent this,
the writer adds empty tensors with the class's names for each head in `head.safetensors`. transformers then refuses the
class, because the sizes do not match, and still loads AlbertModel. The reader ignores empty tensors.

transformers always has a projection from embedding_size to hidden_size; the canonical state has none where the two are
equal and nothing is projected. Writing puts an identity matrix with a zero bias there, and reading takes exactly that
away again: both are the same network, so no marker is needed. Any other projection between equal sizes is kept.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from albertkit.checkpoints.checkpoint import READ_AS_IT_IS, Checkpoint, ReadOptions, heads_of
from albertkit.checkpoints.huggingface_config import (
    ARCHITECTURES,
    LABELLED_HEADS,
    architecture_for,
    label_values,
    read_architecture,
    read_config,
    read_labels,
)
from albertkit.checkpoints.json_files import read_mapping, read_versioned
from albertkit.checkpoints.rename import RenameTable
from albertkit.checkpoints.sentence_transformers import (
    MODULES,
    declared_embedding,
    require_agreement,
    transformer_folder,
    write_declaration,
)
from albertkit.checkpoints.state import add_identity_projection, check_state, drop_identity_projection
from albertkit.checkpoints.tensor_files import WEIGHT_FILES, read_tensors, read_weights, write_tensors
from albertkit.errors import CheckpointError
from albertkit.io.files import atomic_file, write_json

TASK_FORMAT_VERSION = 1
"""Version of `task.json` that this albertkit writes, and the newest that it reads."""

TOKENIZER_FILES = (
    "spiece.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
)

_GROUP = "albert.encoder.albert_layer_groups.{group}.albert_layers.{layer}"
_LAYER = "groups.{group}.layers.{layer}"
_ROWS = (
    ("embeddings.word.weight", "albert.embeddings.word_embeddings.weight"),
    ("embeddings.position.weight", "albert.embeddings.position_embeddings.weight"),
    ("embeddings.token_type.weight", "albert.embeddings.token_type_embeddings.weight"),
    ("embeddings.norm.{leaf}", "albert.embeddings.LayerNorm.{leaf}"),
    ("embeddings.projection.{leaf}", "albert.encoder.embedding_hidden_mapping_in.{leaf}"),
    (_LAYER + ".attention.query.{leaf}", _GROUP + ".attention.query.{leaf}"),
    (_LAYER + ".attention.key.{leaf}", _GROUP + ".attention.key.{leaf}"),
    (_LAYER + ".attention.value.{leaf}", _GROUP + ".attention.value.{leaf}"),
    (_LAYER + ".attention.output.{leaf}", _GROUP + ".attention.dense.{leaf}"),
    (_LAYER + ".attention.norm.{leaf}", _GROUP + ".attention.LayerNorm.{leaf}"),
    (_LAYER + ".ffn.up.{leaf}", _GROUP + ".ffn.{leaf}"),
    (_LAYER + ".ffn.down.{leaf}", _GROUP + ".ffn_output.{leaf}"),
    (_LAYER + ".ffn.norm.{leaf}", _GROUP + ".full_layer_layer_norm.{leaf}"),
    ("pooler.{leaf}", "albert.pooler.{leaf}"),
    ("heads.mlm.dense.{leaf}", "predictions.dense.{leaf}"),
    ("heads.mlm.norm.{leaf}", "predictions.LayerNorm.{leaf}"),
    ("heads.mlm.bias", "predictions.bias"),
    ("heads.sop.{leaf}", "sop_classifier.classifier.{leaf}"),
    ("heads.span.{leaf}", "qa_outputs.{leaf}"),
)

_TIED = {
    "predictions.decoder.weight": "albert.embeddings.word_embeddings.weight",
    "predictions.decoder.bias": "predictions.bias",
}
_PLACES = {
    "mlm": "predictions.dense",
    "sop": "sop_classifier.classifier",
    "classifier": "classifier",
    "tags": "classifier",
    "choice": "classifier",
    "span": "qa_outputs",
    "answer": "qa_outputs",
}
"""Head -> what the class of transformers with such a head calls its linear map."""
_COUNTERS = ("albert.embeddings.position_ids", "albert.embeddings.token_type_ids")  # buffers of older versions
_HEAD_PREFIXES = ("predictions.", "sop_classifier.", "qa_outputs.", "classifier.")
_POOLED_HEADS = ("sop", "classifier", "choice")


def rename_table(architecture: str) -> RenameTable:
    """Return the names of a class of transformers; three of them call different heads "classifier".

    >>> rename_table("AlbertForTokenClassification").to_canonical("classifier.bias")
    'heads.tags.bias'
    """
    head = next((head for head in ARCHITECTURES[architecture] if head in LABELLED_HEADS), "classifier")
    return RenameTable((*_ROWS, (f"heads.{head}.{{leaf}}", "classifier.{leaf}")))


class HuggingFaceFormat:
    """The `Format` of Hugging Face folders."""

    holds = f"a folder with config.json and one of {', '.join(WEIGHT_FILES)}"
    writes = "folder"

    def matches(self, path: Path) -> bool:
        """Return whether the folder holds weights under Hugging Face's names, or a config.json of theirs."""
        if any((path / name).exists() for name in (*WEIGHT_FILES, MODULES)):
            return True
        try:
            return "model_type" in read_mapping(path / "config.json")
        except CheckpointError:
            return False

    def read(self, path: Path, options: ReadOptions = READ_AS_IT_IS) -> Checkpoint:
        """Read and check a folder; weights stay in the precision of the files, memory-mapped where possible.

        Raises:
            CheckpointError: another kind of model; missing, unexpected, mis-shaped or corrupt weights.
            ConfigError: a value of config.json that cannot be.
        """
        outer, path = path, transformer_folder(path)
        values = read_mapping(path / "config.json")
        notes: list[str] = []
        config = options.applied(read_config(values, notes, where=path / "config.json"))
        tensors, file = read_weights(path)
        tensors = {name: tensor for name, tensor in tensors.items() if tensor.numel() or not _is_kept_place(name)}
        architecture = read_architecture(values, tensors, notes)
        table = rename_table(architecture)
        prefix = "" if any(name.startswith("albert.") for name in tensors) else "albert."  # AlbertModel has none
        tensors = _todays_names(tensors, prefix=prefix, where=file)
        _drop_copies(tensors, notes, where=file)
        state, unknown = table.read(tensors, where=str(file))
        state |= {name.removeprefix(prefix): tensor for name, tensor in unknown.items()}
        config = drop_identity_projection(config, state)
        for name, tensor in _read_extra_heads(path / "head.safetensors").items():
            if name in state:
                raise CheckpointError(f'{path}: {file.name} and head.safetensors both hold "{name}"; remove one')
            state[name] = tensor
        heads = tuple(dict.fromkeys((*ARCHITECTURES[architecture], *heads_of(state))))
        # Classes without a sentence-level head are saved without the pooler; that is not a fault of the file.
        pooler = any(head in _POOLED_HEADS for head in heads) or any(name.startswith("pooler.") for name in state)
        if not pooler:
            notes.append(f"{file.name} holds no pooler")
        labels, problem_type = read_labels(values, state, heads=heads, notes=notes, where=path / "config.json")
        declared, dense = declared_embedding(outer, state=state)
        own = path / "task.json"
        said = read_versioned(own, newest=TASK_FORMAT_VERSION) if own.exists() else {}
        require_agreement(declared, said, where=outer)
        task = {**declared, **said}
        if dense is not None:
            dense.require_width(config.hidden_size, where=str(outer / MODULES))
        check_state(
            config,
            state,
            where=str(file),
            heads=heads,
            num_labels=None if {"classifier", "tags"} <= set(heads) else len(labels) or None,
            pooler=pooler,
            name_in_file=lambda name: (table.to_foreign(name) or name).removeprefix(prefix),
        )
        return Checkpoint(
            config=config,
            state=state,
            source_format="huggingface",
            source=str(outer),
            labels=labels,
            problem_type=problem_type,
            task=task or None,
            dense=dense,
            tokenizer_files={name: path / name for name in TOKENIZER_FILES if (path / name).is_file()},
            notes=tuple(notes),
        )

    def write(self, checkpoint: Checkpoint, target: Path) -> None:
        """Write a folder that transformers loads without a missing tensor; see the top of the file for the rest.

        Raises:
            CheckpointError: a state that does not fit its configuration; labels that do not fit the heads.
            WriteError: the system refused.
        """
        check_state(
            checkpoint.config,
            checkpoint.state,
            where=checkpoint.source,
            heads=checkpoint.heads,
            pooler=checkpoint.has_pooler or any(head in _POOLED_HEADS for head in checkpoint.heads),
        )
        architecture = architecture_for(checkpoint.state, pooling=checkpoint.pooling)
        expressible = {f"heads.{head}" for head in ARCHITECTURES[architecture]}
        own: dict[str, torch.Tensor] = {}
        extra: dict[str, torch.Tensor] = {}
        for name, tensor in checkpoint.state.items():
            is_extra = name.startswith("heads.") and ".".join(name.split(".")[:2]) not in expressible
            (extra if is_extra else own)[name] = tensor
        word = own["embeddings.word.weight"]
        renamed, unknown = rename_table(architecture).write(add_identity_projection(checkpoint.config, own))
        assert not unknown, unknown  # the check above admits only known names
        if architecture == "AlbertModel":  # only this class has no prefix
            renamed = {name.removeprefix("albert."): tensor for name, tensor in renamed.items()}
        kept = {f"{_PLACES[head]}.{leaf}" for head in heads_of(extra) if head in _PLACES for leaf in ("weight", "bias")}
        renamed |= {name: torch.zeros(0) for name in sorted(kept - renamed.keys())}
        values = {
            "architectures": [architecture],
            "model_type": "albert",
            **checkpoint.config.to_dict(),
            "pad_token_id": 0,
            "bos_token_id": 2,
            "eos_token_id": 3,
            "tie_word_embeddings": True,
            "dtype": str(word.dtype).removeprefix("torch."),
            **label_values(checkpoint),
        }
        for name in (*WEIGHT_FILES, "head.safetensors", "task.json"):
            (target / name).unlink(missing_ok=True)  # what an older model left here would be read with this one
        write_tensors(target / "model.safetensors", renamed)
        if extra:
            write_tensors(target / "head.safetensors", extra)
        if checkpoint.task is not None:
            write_json(target / "task.json", {"format_version": TASK_FORMAT_VERSION, **checkpoint.task})
        for name, source in checkpoint.tokenizer_files.items():
            with atomic_file(target / name) as temporary:
                shutil.copyfile(source, temporary)
        write_declaration(target, checkpoint)
        write_json(target / "config.json", values)


HUGGINGFACE = HuggingFaceFormat()


def _is_kept_place(name: str) -> bool:
    return name.rpartition(".")[0] in _PLACES.values()


def _todays_names(tensors: dict[str, torch.Tensor], *, prefix: str, where: Path) -> dict[str, torch.Tensor]:
    """Bring names to those of a class with heads: the prefix, and weight and bias for gamma and beta."""
    today: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        full = name if name.startswith(_HEAD_PREFIXES) else prefix + name
        for old, new in ((".gamma", ".weight"), (".beta", ".bias")):
            full = full.removesuffix(old) + new if full.endswith(old) else full
        if full in today:
            raise CheckpointError(f'{where}: "{name}" is a second tensor for {full}; remove one of the two')
        today[full] = tensor
    return today


def _drop_copies(tensors: dict[str, torch.Tensor], notes: list[str], *, where: Path) -> None:
    """Take the tied copies and the counters out, after a check that they say nothing new."""
    for copy, original in _TIED.items():
        tensor = tensors.pop(copy, None)
        if tensor is None or _equal(tensor, tensors.setdefault(original, tensor)):
            continue
        if not copy.endswith("bias") or bool(tensor.any()):
            raise CheckpointError(
                f"{where}: {copy} differs from {original}, to which ALBERT ties it; save the model with tied weights"
            )
        # An untied bias of zeros adds nothing, and transformers takes predictions.bias as well.
        notes.append(f"{where.name}: {copy} is all zeros and was ignored; the model uses {original}")
    for name in _COUNTERS:
        counter = tensors.pop(name, None)
        if counter is None:
            continue
        expected = torch.arange(counter.numel()) if name.endswith("position_ids") else torch.zeros(counter.numel())
        if not _equal(expected, counter.reshape(-1)):
            raise CheckpointError(f"{where}: {name} does not hold the usual values, which is not supported; remove it")


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one.to(other.dtype), other)


def _read_extra_heads(path: Path) -> dict[str, torch.Tensor]:
    tensors = read_tensors(path) if path.exists() else {}
    if strays := [name for name in tensors if not name.startswith("heads.")]:
        raise CheckpointError(f'{path}: holds "{strays[0]}", but only tensors under "heads." belong there')
    return tensors
