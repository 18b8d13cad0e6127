"""A page that runs an exported model in the browser, as files of a folder that any web server can send.

index.html, page/            the page: the one of `albertkit serve`, which here asks the model in the folder
page/vendor/                 onnxruntime-web and the tokenizers library, from npm
onnx/model.onnx              the network, where transformers.js looks for it
config.json, tokenizer.json  read by transformers.js, too
"""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

from albertkit.errors import UsageError
from albertkit.hub.npm import fetch_web_runtime
from albertkit.inference.exported import VECTORS
from albertkit.io.files import read_json, write_json
from albertkit.io.manifest import MANIFEST
from albertkit.io.progress import Console
from albertkit.models.loaded import Model
from albertkit.tasks.classification import ClassificationTask
from albertkit.text.tokenizer import Tokenizer

NETWORK = "onnx/model.onnx"
MODES = ("google", "huggingface", "tfhub")
"""Modes of the tokenizer that JavaScript reproduces for every character."""
RUNTIME_FOLDER = "page/vendor"
_PAGE = {
    "index.html": "index.html",
    "app.js": "page/app.js",
    "style.css": "page/style.css",
    "local.js": "page/send.js",
    "albert.js": "page/albert.js",
}
"""File of the assets -> its place in the folder."""


def describe(model: Model) -> dict[str, Any]:
    """Return what `export.json` says of a model for the page: how texts are read, and what the outputs mean.

    Raises:
        UsageError: a model that neither classifies nor embeds, or whose tokenizer is another than SentencePiece's.
    """
    task = model.task
    classifier = task if isinstance(task, ClassificationTask) else None
    if classifier is None and task is not None and not task.trains_vectors:
        raise UsageError(
            f"{model.source}: a page classifies or embeds, and this model does {task.name}; export it --to onnx, or "
            "run albertkit serve"
        )
    if not isinstance(model.tokenizer, Tokenizer):
        raise UsageError(
            f"{model.source}: a page needs a SentencePiece vocabulary (spiece.model), and this model has "
            f"{model.tokenizer.vocabulary_file}; export it --to onnx, or run albertkit serve"
        )
    if model.tokenizer.mode not in MODES or model.tokenizer.keep_accents:
        mode = "keeps accents" if model.tokenizer.keep_accents else f"is in the mode {model.tokenizer.mode}"
        raise UsageError(
            f"{model.source}: its tokenizer {mode}, and JavaScript's gives other ids for some characters; "
            "export it --to onnx, or run albertkit serve"
        )
    windows = None if classifier is None else classifier.windows
    if windows is not None and windows.stride is None:
        raise UsageError(
            f"{model.source} reads texts by sentence, and the page does not; export it --to onnx, run albertkit serve, "
            "or train with --long truncate"
        )
    path = Path(model.source)
    return {
        "model": (path.parent if path.name == "model" else path).name or "model",
        "task": None if task is None else task.name,
        "output": "logits" if classifier is not None else VECTORS,
        "labels": list(model.labels),
        "max_length": model.max_length,
        "needs_pair": model.head.pooling == "pair",
        "takes_pairs": classifier is not None and classifier.takes_pairs is not False,
        "temperature": 1.0 if classifier is None or classifier.temperature is None else classifier.temperature,
        "windows": None if windows is None else {"stride": windows.stride, "most": windows.most},
        "cls_id": model.tokenizer.cls_id,
        "sep_id": model.tokenizer.sep_id,
    }


def write_page(folder: Path) -> None:
    """Write the page and what runs the network into an export's folder, and its `config.json` for transformers.js.

    Raises:
        DownloadError: the packages are not here and could not or should not be fetched.
    """
    vendor = fetch_web_runtime(progress=Console())
    (folder / "page").mkdir()
    for name, place in _PAGE.items():
        (folder / place).write_bytes((files("albertkit") / "assets" / "page" / name).read_bytes())
    shutil.copytree(vendor, folder / RUNTIME_FOLDER, ignore=shutil.ignore_patterns(MANIFEST))
    # Its inputs and outputs are fp32 whatever the stored weights are, and so is its name.
    config = folder / "config.json"
    write_json(config, {**read_json(config), "transformers.js_config": {"dtype": "fp32"}})
