"""Convert any checkpoint format to any other that can hold the model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from albertkit.checkpoints import FORMATS, READ_AS_IT_IS, Checkpoint, Format, ReadOptions
from albertkit.errors import CheckpointError, RunError, UsageError
from albertkit.io.files import atomic_folder, write_text
from albertkit.models.card import CARD, card_text
from albertkit.models.model_files import read_model
from albertkit.models.pretrained import model_of
from albertkit.models.tokenizers import tokenizer_of
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.json_tokenizer import JsonTokenizer
from albertkit.text.missing import MissingTokenizer
from albertkit.text.normalize import normalization
from albertkit.text.vocabulary import official_vocabulary


@dataclass(frozen=True)
class Conversion:
    """What was read and written."""

    checkpoint: Checkpoint
    """What the source held."""
    target: Path
    """The folder or file that was written."""
    notes: tuple[str, ...]
    """What the reader had to say, one sentence each."""


def writable_formats() -> dict[str, Format]:
    """Return the formats that can be written, by name."""
    return {name: each for name in FORMATS if (each := FORMATS[name]).writes}


_WITHOUT_EXITS = ("tf1", "bson")
"""Formats that hold only one task head; without the exits, full depth gives the same results."""


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    to: str = "huggingface",
    options: ReadOptions = READ_AS_IT_IS,
    mode: str | None = None,
    overwrite: bool = False,
) -> Conversion:
    """Read a model in any format and write it in another, whole or not at all.

    Tensors keep their bits; only Hugging Face folders keep half precision, elsewhere it is widened to fp32. What was
    written is read back and compared before it counts.

    Args:
        source: a known name, a path in any known format, an archive of one, or a run directory.
        target: the folder to make (or the file, for `bson`).
        to: name of the format to write.
        options: what to take instead of (or for want of) what the source says.
        mode: whose text processing the model is used with, a name of `albertkit.text.normalize.MODES`; that of the
            source when left out.
        overwrite: replace an existing `target`.

    Raises:
        UsageError: an unknown format or mode, or one that is only read.
        RunError: `target` exists.
        CheckpointError: the source cannot be read, or the format cannot hold it.
        WriteError: the system refused; nothing is left behind.
    """
    format_to = FORMATS[to]
    if format_to.writes is None:
        raise UsageError(f'"{to}" can be read but not written; choose one of {", ".join(writable_formats())}')
    if mode is not None:
        normalization(mode)  # tells an unknown one before there is work to lose
    place = Path(target)
    _check_free(place, kind=format_to.writes, overwrite=overwrite)
    checkpoint = read_model(source, options)
    if to in _WITHOUT_EXITS and "exits" in checkpoint.heads:
        kept = {name: tensor for name, tensor in checkpoint.state.items() if not name.startswith("heads.exits.")}
        told = f"{to} cannot store the exits after each layer: the model is converted without them"
        checkpoint = replace(checkpoint, state=kept, notes=(*checkpoint.notes, told))
    if to != "huggingface" and checkpoint.dense is not None:
        told = f"{to} cannot store the Dense map of the vectors: embed and similarity will give other numbers"
        task = dict(checkpoint.task or {})
        if isinstance(task.get("embedding"), dict):
            task["embedding"] = {key: value for key, value in task["embedding"].items() if key != "dense"}
        checkpoint = replace(checkpoint, dense=None, task=task, notes=(*checkpoint.notes, told))
    tokenizer, notes = tokenizer_of(checkpoint, mode=mode)
    elsewhere = replace(checkpoint, tokenizer_files=_files(checkpoint, tokenizer))
    if format_to.writes == "file":
        format_to.write(elsewhere, place)
        lost = _compare(checkpoint, format_to.read(place), tokenizer)
    else:
        with atomic_folder(place) as temporary:
            if to == "huggingface":  # the tokenizer writes its own files there, tokenizer.json among them
                elsewhere = replace(elsewhere, tokenizer_files={})
                if not isinstance(tokenizer, MissingTokenizer):
                    tokenizer.save(temporary)
            format_to.write(elsewhere, temporary)
            lost = _compare(checkpoint, format_to.read(temporary), tokenizer)
            if to == "huggingface":
                lost += _write_card(checkpoint, tokenizer, temporary, place, source=str(source))
    return Conversion(checkpoint, place, (*checkpoint.notes, *notes, *lost))


def _write_card(
    checkpoint: Checkpoint, tokenizer: AnyTokenizer, folder: Path, place: Path, *, source: str
) -> list[str]:
    """Write the model card, as every saved model has one; return why not, for tensors that make no model."""
    try:
        model = model_of(checkpoint, tokenizer, source=source)
    except CheckpointError as error:
        return [f"no model card was written: {error}"]
    write_text(folder / CARD, card_text(model, place, None))
    return []


_SAID_ELSEWHERE = {"task", "labels", "head"}
"""Keys of `task.json` that the tensors and the labels of any format say."""


def _compare(source: Checkpoint, written: Checkpoint, tokenizer: AnyTokenizer) -> list[str]:
    """Read back what was written: tensors must be equal; anything else that was lost is reported."""
    fixed = {"classifier_dropout_prob", "initializer_range"}  # say nothing of the network that is run
    one, other = source.config.to_dict(), written.config.to_dict()
    differing = [name for name in one if name not in fixed and one[name] != other[name]]
    differing += sorted(source.state.keys() ^ written.state.keys())
    differing += [name for name in source.state.keys() & written.state.keys() if not _equal(source, written, name)]
    if source.dense is not None and not source.dense.equals(written.dense):
        differing.append("the Dense map of the vectors")
    if differing:
        raise CheckpointError(
            f"{source.source}: {written.source_format} cannot hold {', '.join(differing[:5])} as it is; "
            "convert to huggingface instead"
        )
    told = []
    if source.labels and written.labels != source.labels:
        told.append(
            f"{written.source_format} format cannot store label names; keep this list: {', '.join(source.labels)}"
        )
    if source.problem_type == "multi_label_classification" and written.problem_type != source.problem_type:
        told.append(
            f"{written.source_format} cannot store that several labels may apply: a model read from it predicts one "
            "label"
        )
    settings = set(source.task or {}) - set(written.task or {}) - _SAID_ELSEWHERE
    if settings:
        told.append(f"{written.source_format} cannot store {', '.join(sorted(settings))} of task.json")
    if not isinstance(tokenizer, MissingTokenizer) and not written.tokenizer_files:
        told.append(f"{written.source_format} cannot store the tokenizer: keep {source.source} with it")
    return told


def _equal(source: Checkpoint, written: Checkpoint, name: str) -> bool:
    return torch.equal(source.state[name].to(written.state[name].dtype), written.state[name])


def _files(checkpoint: Checkpoint, tokenizer: AnyTokenizer) -> Mapping[str, Path]:
    if isinstance(tokenizer, MissingTokenizer | JsonTokenizer):  # the latter only a Hugging Face folder holds
        return {}
    return checkpoint.tokenizer_files or {"spiece.model": official_vocabulary()}


def _check_free(place: Path, *, kind: str, overwrite: bool) -> None:
    if kind == "file" and place.is_dir():
        raise RunError(f"{place} is a folder, and this format is one file; name a file")
    if kind == "folder" and place.is_file():
        raise RunError(f"{place} is a file, and this format is a folder; name a folder")
    if not overwrite and (place.is_file() or (place.is_dir() and any(place.iterdir()))):
        raise RunError(f"{place} already exists; give another path, or add --overwrite to replace it")
