"""Find the files of a TF1 checkpoint in a folder: the chosen weights, the configuration, the vocabulary."""

from __future__ import annotations

import re
from pathlib import Path

from albertkit.checkpoints.tensorflow.sstable import is_table
from albertkit.errors import CheckpointError

_PART = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
_CHOSEN = re.compile(r'^\s*model_checkpoint_path:\s*"([^"\n]*)"', re.MULTILINE)
_STEP = re.compile(r"-(\d{1,18})$")
_VOCABULARIES = {
    "spiece.model": ("30k-clean.model", "spiece.model", "*.model"),
    "vocab.txt": ("vocab.txt", "vocab_chinese.txt", "vocab*.txt"),
}


def is_checkpoint(path: Path) -> bool:
    """Return whether a path is a TF1 checkpoint: a folder of one, one of its files, or their common prefix."""
    if path.is_dir():
        others = ("saved_model.pb", "saved_model.pbtxt", "tfhub_module.pb")
        if any((path / name).exists() for name in others):
            return False
        return (path / "albert_config.json").is_file() or any(path.glob("*.index"))
    return _sibling(_without_part(path)).is_file() or is_table(path)


def find_prefix(path: Path, notes: list[str]) -> Path:
    """Return the path of a checkpoint's files without `.index`.

    Of several in a folder it is the one that the file `checkpoint` names; where there is no such file, `..-best`, as
    google-research/albert calls the one that did best on the validation data, or else the one of the highest step.

    Args:
        path: the folder, one of the files, or the prefix itself.
        notes: takes a sentence that says which of several it is.

    Raises:
        CheckpointError: none is there, or one of TensorFlow's first format.
    """
    if not path.is_dir():
        prefix = _without_part(path)
        if not _sibling(prefix).is_file() and is_table(path):
            raise CheckpointError(_first_format(path))
        return prefix
    prefixes = sorted(_without_part(index) for index in path.glob("*.index") if index.is_file())
    if not prefixes:
        for file in sorted(path.glob("*ckpt*")):
            if file.is_file() and is_table(file):
                raise CheckpointError(_first_format(file))
        raise CheckpointError(
            f"{path}: holds no weights; expected model.ckpt-best.index and model.ckpt-best.data-00000-of-00001 "
            "(or of another name) next to albert_config.json"
        )
    if len(prefixes) == 1:
        return prefixes[0]
    named = _named(path / "checkpoint")
    found = next((prefix for prefix in prefixes if prefix.name == named), None)
    if found is None:
        found, why = max(prefixes, key=_rank), "is the best or newest by its name"
    else:
        why = 'is the one that the file "checkpoint" names'
    notes.append(f"{found.name} was read, one of {len(prefixes)} checkpoints in the folder: it {why}")
    return found


def find_config(folder: Path) -> Path:
    """Return the path of the configuration.

    Raises:
        CheckpointError: there is none, or several and none of Google's name.
    """
    path = folder / "albert_config.json"
    others = sorted(folder.glob("albert_config*.json"))
    if not path.is_file() and len(others) == 1:
        return others[0]
    if not path.is_file():
        raise CheckpointError(
            f"{path}: the file is missing, and the weights do not determine the network's shape; "
            "copy it there from the archive of the pretrained model"
        )
    return path


def find_tokenizer_files(folder: Path, notes: list[str]) -> dict[str, Path]:
    """Return the vocabulary: name in a Hugging Face folder -> path; SentencePiece goes before WordPiece.

    Args:
        folder: where to look.
        notes: takes a sentence where several files could be meant.
    """
    for name, patterns in _VOCABULARIES.items():
        for pattern in patterns:
            files = sorted(file for file in folder.glob(pattern) if file.is_file())
            if len(files) == 1:
                return {name: files[0]}
            if files:
                names = ", ".join(file.name for file in files[:5])
                notes.append(f"several files could be the vocabulary, so none was used: {names}")
                return {}
    return {}


def _without_part(path: Path) -> Path:
    return path.with_name(_PART.sub("", path.name) or path.name)


def _sibling(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".index")


def _named(path: Path) -> str | None:
    """Return the last part of the path in a `checkpoint` file, which often is one of another machine."""
    try:
        with path.open("rb") as file:
            found = _CHOSEN.search(file.read(1 << 16).decode("utf-8", "replace"))
    except OSError:
        return None
    return re.split(r"[/\\]", found[1])[-1] if found else None


def _rank(prefix: Path) -> tuple[bool, int, str]:
    step = _STEP.search(prefix.name)
    return prefix.name.endswith("-best"), int(step[1]) if step else -1, prefix.name


def _first_format(path: Path) -> str:
    return (
        f"{path}: is a checkpoint of TensorFlow's first format (a single file, before 2017), which is not read; "
        "load it with TensorFlow and save it again with tf.train.Saver"
    )
