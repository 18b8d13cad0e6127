"""Teachers: what gives the vectors that a student is trained towards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from albertkit.batching.cutting import cut_by_tokens
from albertkit.checkpoints.sentence_transformers import MODULES, declared_embedding, transformer_folder
from albertkit.errors import CheckpointError, MissingExtraError
from albertkit.hardware.device import Execution
from albertkit.inference.predictor import Predictor
from albertkit.models.model_files import model_source

FloatArray = npt.NDArray[np.float32]
BATCH_TOKENS = 4096
"""Tokens of one forward pass of a teacher."""
_TOKENIZER_FILES = (
    "tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model",
)  # fmt: skip


class Teacher(Protocol):
    """Gives one vector per text."""

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Return the vectors of texts, `[texts, dimensions]`."""
        ...


def open_teacher(name: str, execution: Execution) -> Teacher:
    """Load a sentence-transformers folder, or an albertkit model, run or export.

    Args:
        name: a known model's name, or a path.
        execution: device to run on, in fp32.

    Raises:
        UsageError, CheckpointError: it cannot be loaded, or has no tokenizer.
        MissingExtraError: the folder is no ALBERT, and transformers is not installed.
    """
    source = model_source(name)
    if _model_type(source) in ("albert", None):
        return _AlbertTeacher(name, execution)
    return _TransformersTeacher(source, execution)


def _model_type(source: Path) -> str | None:
    """Return the kind of network that a Hugging Face folder holds; None where it says none, and of other formats."""
    if not source.is_dir():
        return None
    path = transformer_folder(source) / "config.json"
    if not path.is_file():
        return None
    try:
        kind = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read as a configuration ({error}); copy the file again") from error
    return kind if isinstance(kind, str) else None


class _AlbertTeacher:
    def __init__(self, name: str, execution: Execution) -> None:
        self.predictor = Predictor.load(name, execution=execution)
        self.predictor.embed(["a"])  # a model without a tokenizer says so now

    def embed(self, texts: Sequence[str]) -> FloatArray:
        return self.predictor.embed(list(texts))


class _TransformersTeacher:
    """A folder of sentence-transformers whose network is not ALBERT, run by transformers."""

    def __init__(self, folder: Path, execution: Execution) -> None:
        import torch

        try:
            import transformers
        except ImportError as error:
            raise MissingExtraError("transformers", extra="distill", purpose=f"the teacher {folder}") from error
        declared, self.dense = declared_embedding(folder)
        inner = transformer_folder(folder)
        if not any((inner / name).is_file() for name in _TOKENIZER_FILES):
            raise CheckpointError(
                f"{folder}: holds no tokenizer ({', '.join(_TOKENIZER_FILES[:3])}, ..); copy the tokenizer's files "
                "into it"
            )
        if not any(inner.glob("*.safetensors")):
            raise CheckpointError(
                f"{folder}: holds no .safetensors file, and weights in other files could run code when they are read; "
                "save the teacher with safetensors"
            )
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        logging: Any = transformers.utils.logging
        verbosity, has_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity(logging.ERROR)  # what matters of its notes is looked at below
        logging.disable_progress_bar()
        try:
            self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(str(inner), **options)
            network, report = transformers.AutoModel.from_pretrained(
                str(inner), use_safetensors=True, output_loading_info=True, dtype=torch.float32, **options
            )
        except Exception as error:  # transformers raises what its many parts raise
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(f"{folder}: transformers cannot load this teacher ({reason:.300})") from error
        finally:
            logging.set_verbosity(verbosity)
            if has_bar:
                logging.enable_progress_bar()
        missing = sorted(key for key in report["missing_keys"] if "pooler" not in key and "position_ids" not in key)
        if missing:
            raise CheckpointError(
                f"{folder}: the weights lack {missing[0]} ({len(missing)} are missing), which would be random; copy "
                "the files again"
            )
        if self.dense is not None:
            self.dense.require_width(network.config.hidden_size, where=str(folder / MODULES))
        self.network: Any = network.eval().to(execution.torch_device)
        self.device = execution.torch_device
        self.pooling = declared.get("embedding", {"pooling": "mean"})["pooling"]
        known = [declared.get("max_length"), getattr(self.tokenizer, "model_max_length", None)]
        known.append(getattr(network.config, "max_position_embeddings", None))
        self.max_length = min(length for length in known if isinstance(length, int) and length > 0)
        self.lower = _lowers(inner)

    def embed(self, texts: Sequence[str]) -> FloatArray:
        import torch

        given = [text.lower() for text in texts] if self.lower else list(texts)
        rows = self.tokenizer(given, truncation=True, max_length=self.max_length, padding=False)
        lengths = [len(ids) for ids in rows["input_ids"]]
        found: FloatArray | None = None
        with torch.inference_mode():
            for numbers in cut_by_tokens(lengths, max_tokens=BATCH_TOKENS):
                batch = self.tokenizer.pad(
                    {name: [column[number] for number in numbers] for name, column in rows.items()}, return_tensors="pt"
                ).to(self.device)
                hidden = self.network(**batch).last_hidden_state.float()  # n s h
                if self.pooling == "cls":
                    vectors = hidden[:, 0]
                else:
                    mask = batch["attention_mask"].unsqueeze(-1).float()
                    vectors = (hidden * mask).sum(1) / mask.sum(1)
                if found is None:
                    found = np.zeros((len(given), vectors.shape[1]), np.float32)
                found[numbers] = vectors.cpu().numpy()
        assert found is not None
        return found if self.dense is None else self.dense(found)


def _lowers(folder: Path) -> bool:
    """Return whether sentence-transformers puts texts into lower case before its tokenizer."""
    path = folder / "sentence_bert_config.json"
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")).get("do_lower_case")) if path.is_file() else False
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON ({error}); copy the file again") from error
