"""Structured damage to what albertkit reads besides weights: values of JSON, names of files, steps of pickles.

    python -m tests.checkpoints.fuzz_targets --count 20000              # every target; minutes each
    python -m tests.checkpoints.fuzz_targets --target pickle --only 7   # one case again

`fuzzing.py` damages bytes; most of that breaks the JSON itself, so what lies behind a parser is tested here.
"""

from __future__ import annotations

import io
import json
import pickle
import pickletools
import random
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.checkpoints.fuzzing import NUMBERS, mutate
from tests.fuzzed import Cost, Tally, command, run_guarded

TEXT = "a fine film <user>"
VALUES: tuple[Any, ...] = (
    None, True, False, "", "x", "\ud800", "..", "a/b", "\0", "9" * 5000, 1.5, -0.0, 1e308, float("inf"), float("nan"),
    [], {}, [[]], [None], {"": None}, ["mean"], {"a": {"b": [1]}}, [1] * 3000, [0, 0], *NUMBERS,
)  # fmt: skip


STEPS = (b"N", b"(", b"t", b"]", b"}", b")", b"a", b"R", b"Q", b"\x85", b"\x86", b"0", b"b")
GLOBALS = tuple(
    f"c{module}\n{name}\n".encode()
    for module, name in (
        ("torch", "LongStorage"),
        ("torch", "Size"),
        ("torch", "Tensor"),
        ("torch.storage", "UntypedStorage"),
        ("torch._utils", "_rebuild_sparse_tensor"),
        ("builtins", "bytearray"),
    )
)
"""Steps of pickles that change what comes after them."""


def mutate_json(content: bytes, draw: random.Random) -> bytes:
    """Return JSON with one to three values, keys or items changed, so that it is JSON still."""
    whole = [json.loads(content)]
    for _ in range(draw.choice((1, 1, 2, 3))):
        inside: Any = whole
        while True:  # to a random container, the deeper ones not rarer than the outer
            below = inside.values() if isinstance(inside, dict) else inside
            containers = [each for each in below if isinstance(each, dict | list) and each]
            if not containers or (inside is not whole and draw.random() < 0.4):
                break
            inside = draw.choice(containers)
        key = draw.choice(list(inside)) if isinstance(inside, dict) else draw.randrange(len(inside))
        kind = draw.randrange(6) if inside is not whole else 0
        if kind <= 2:
            inside[key] = draw.choice(VALUES)
        elif kind == 3:
            del inside[key]
        elif isinstance(inside, dict):
            value = inside.pop(key) if kind == 4 else inside[key]
            inside[draw.choice((key + "x", "", *inside, "num_labels", "id2label"))] = value
        else:
            inside.insert(draw.randrange(len(inside)), draw.choice((inside[key], draw.choice(VALUES))))
        whole = [json.loads(json.dumps(whole[0]))]  # no value is in two places, none of VALUES changes
        if not whole[0] or not isinstance(whole[0], dict | list):
            break
    return json.dumps(whole[0]).encode()


def mutate_pickle(content: bytes, draw: random.Random) -> bytes:
    """Return a pickle with one to three of its steps changed, doubled, left out or moved."""
    marks = [place for _, _, place in pickletools.genops(content) if place is not None]
    steps = [content[start:end] for start, end in zip(marks, [*marks[1:], len(content)], strict=True)]
    for _ in range(draw.choice((1, 1, 2, 3))):
        place = draw.randrange(1, len(steps) - 1)
        kind = draw.randrange(7)
        if kind == 0:
            steps[place] = pickle.dumps(draw.choice(NUMBERS), protocol=2)[2:-1]
        elif kind == 1:
            steps[place] = draw.choice(STEPS)
        elif kind == 2:
            steps[place:place] = [steps[place]] * draw.choice((1, 2, 500))
        elif kind == 3:
            del steps[place]
        elif kind == 4:
            steps[place] = draw.choice(steps)
        elif kind == 5:
            steps[place] = draw.choice(GLOBALS)
        else:
            steps[place] = mutate(steps[place], draw)
    return b"".join(steps)


def mutate_torch_zip(content: bytes, draw: random.Random) -> bytes:
    """Return a file of torch.save with a damaged pickle, or records changed, left out, doubled or compressed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        records = [(name, archive.read(name)) for name in archive.namelist()]
    if draw.random() < 0.75:
        records = [(name, mutate_pickle(data, draw) if name.endswith(".pkl") else data) for name, data in records]
    else:
        place = draw.randrange(len(records))
        name, data = records[place]
        kind = draw.randrange(5)
        if kind == 0:
            del records[place]
        elif kind == 1:
            records[place] = (draw.choice((name + "x", "data.pkl", "../" + name, "archive/data/0")), data)
        elif kind == 2:
            records.insert(place, records[place])
        elif kind == 3:
            records[place] = (name, mutate(data, draw) if data else b"x")
        else:
            records[place] = (name, data * draw.choice((0, 2, 100)))
    target = io.BytesIO()
    compression = zipfile.ZIP_DEFLATED if draw.random() < 0.05 else zipfile.ZIP_STORED
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w", compression) as archive:
        warnings.simplefilter("ignore")  # two records of one name
        for name, data in records:
            archive.writestr(name, data)
    return mutate(target.getvalue(), draw) if draw.random() < 0.1 else target.getvalue()


@dataclass(frozen=True)
class Target:
    """Something that is read."""

    make: Callable[[Path], Path]
    """Makes a good folder in a folder."""
    victims: tuple[str, ...]
    """Names of the files that are damaged."""
    read: Callable[[Path, random.Random], object]
    """Reads and uses a damaged folder."""


@cache
def _small_json() -> str:
    from albertkit.text.vocabulary import SPECIALS

    words = [f"\u2581{word}" for word in TEXT.split()[:3]]
    vocabulary = [*[[piece, 0.0] for piece in SPECIALS], *[[piece, -2.0] for piece in (*words, "\u2581", "a", "e")]]
    added = [
        {"id": number, "content": piece, "special": number < 5, "normalized": False, "single_word": False,
         "lstrip": False, "rstrip": False}
        for number, piece in [*enumerate(SPECIALS), (len(vocabulary), "<user>")]
    ]  # fmt: skip
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": added,
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "Lowercase"}]},
            "pre_tokenizer": metaspace,
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
            "decoder": metaspace,
            "model": {"type": "Unigram", "unk_id": 1, "vocab": vocabulary, "byte_fallback": False},
        }
    )


def _model(folder: Path) -> Path:
    from tests.tiny import CONFIG, tiny_network

    from albertkit.config import replace
    from albertkit.models.loaded import HeadSpec, Model
    from albertkit.models.pretrained import save_model, with_exits, with_task_head
    from albertkit.text.json_tokenizer import JsonTokenizer

    tokenizer = JsonTokenizer(_small_json().encode())
    network = tiny_network(config=replace(CONFIG, vocab_size=tokenizer.vocab_size))
    head = HeadSpec((5,), "batch", "mean")
    model = with_task_head(Model(network, tokenizer), task="classification", labels=("no", "yes"), head=head)
    assert model.task is not None
    model = replace(with_exits(model), task=replace(model.task, temperature=1.5, window_stride=9, max_windows=2))
    save_model(model, folder / "m")
    return folder / "m"


def _spiece(folder: Path) -> Path:
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([f"{TEXT} {number}, of the quick brown fox" for number in range(50)]),
        model_writer=model, vocab_size=60, hard_vocab_limit=False, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1,
        control_symbols=["[CLS]", "[SEP]", "[MASK]"], user_defined_symbols=["(", "-"], minloglevel=2,
        normalization_rule_name="identity",
    )  # fmt: skip
    (folder / "m").mkdir()
    (folder / "m" / "spiece.model").write_bytes(model.getvalue())
    return folder / "m"


def _pytorch(folder: Path) -> Path:
    from tests.checkpoints.healthy import HEALTHY

    return HEALTHY["pytorch"](folder)


def _exported(folder: Path) -> Path:
    from albertkit.io.file_digests import sha256_of

    model = _model(folder)
    (model / "model.onnx").write_bytes(b"not read here")
    entry = {"size": 13, "sha256": sha256_of(model / "model.onnx")}
    values = {"format_version": 1, "runtime": "onnx", "files": {"model.onnx": entry}, "outputs": ["logits"]}
    (model / "export.json").write_text(json.dumps(values))
    for name in ("model.safetensors", "head.safetensors"):
        (model / name).unlink()
    return model


def _sentence_transformers(folder: Path) -> Path:
    import torch
    from safetensors.torch import save_file
    from tests.tiny import CONFIG

    model = _model(folder)
    (model / "1_Pooling").mkdir()
    (model / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    (model / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64, "do_lower_case": False}))
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Dense": "Dense", "3_Normalize": "Normalize"}
    rows = [(place, f"sentence_transformers.models.{kind}") for place, kind in kinds.items()]
    (model / "2_Dense").mkdir()
    save_file({"linear.weight": torch.ones(3, CONFIG.hidden_size)}, model / "2_Dense" / "model.safetensors")
    settings = {"in_features": CONFIG.hidden_size, "out_features": 3, "bias": False}
    activation = {"activation_function": "torch.nn.modules.activation.Tanh"}
    (model / "2_Dense" / "config.json").write_text(json.dumps({**settings, **activation}))
    (model / "modules.json").write_text(json.dumps([{"path": path, "type": kind} for path, kind in rows]))
    (model / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {}, "default_prompt_name": None}))
    return model


def _use(model: Any, runtime: Any = None) -> None:
    from tests.tiny import execution

    from albertkit.inference.predictor import Predictor

    predictor = Predictor(model, execution=execution(), runtime=runtime)
    if model.task is not None:
        predictor.predict([TEXT])
    predictor.embed([TEXT])


def _read_model(folder: Path, draw: random.Random) -> None:
    del draw
    from albertkit.models.pretrained import load_model

    _use(load_model(folder))


def _read_exported(folder: Path, draw: random.Random) -> None:
    del draw
    import numpy as np
    from tests.tiny import execution

    from albertkit.inference.exported import load_exported

    class Runtime:
        def __init__(self, path: Path, **_: Any) -> None:
            assert path.parent == folder

        def run(self, batch: Any, *, outputs: Any) -> dict[str, Any]:
            rows = {"logits": (len(batch), 2), "sequence_output": (batch.tokens, 16), "pooled_output": (len(batch), 16)}
            return {name: np.zeros(rows[name], np.float32) for name in outputs}

    with (
        patch("albertkit.inference.onnx.OnnxRuntime", Runtime),
        patch("albertkit.inference.exported.RUNTIMES._resolved", {}),
    ):
        model, runtime = load_exported(folder, execution=execution())
        if model.task is None or model.task.name in ("classification", "multilabel"):  # others have other outputs
            _use(model, runtime)


def _read_tokenizer(folder: Path, draw: random.Random) -> None:
    from albertkit.text.directory import read_directory
    from albertkit.text.self_test import self_test

    if draw.random() < 0.3:
        (folder / "added_tokens.json").write_bytes(mutate_json(b'{"<user>": 11, "[MASK]": 4}', draw))
    tokenizer = read_directory(folder)
    self_test(tokenizer, folder)
    encoding = tokenizer.encode(TEXT, "and more", max_length=9)
    assert len(encoding.input_ids) <= 9
    tokenizer.decode(encoding.input_ids)
    tokenizer.sequences([TEXT])


def _read_spiece(folder: Path, draw: random.Random) -> None:
    from albertkit.text.directory import read_directory

    _read_tokenizer(folder, draw)
    tokenizer = read_directory(folder)
    assert len(tokenizer.scores) == tokenizer.vocab_size
    tokenizer.save(folder / "again")


def _read_state(folder: Path, draw: random.Random) -> None:
    from albertkit.estimators.saving import folder_facts, model_from_bytes

    files: dict[Any, Any] = {path.name: path.read_bytes() for path in folder.iterdir()}
    if draw.random() < 0.3:
        name = draw.choice(list(files))
        files[draw.choice((*VALUES[:9], "model", "vocab.txt", "spiece.model", 7))] = files.pop(name)
    if draw.random() < 0.1:
        files[draw.choice(list(files))] = draw.choice(("text", None, 7, b""))
    folder_facts(folder)
    _use(model_from_bytes(files, source="pickle"))


def _read_checkpoint(folder: Path, draw: random.Random) -> None:
    del draw
    from albertkit.checkpoints import read_checkpoint

    read_checkpoint(folder)


TARGETS: Mapping[str, Target] = {
    "model": Target(_model, ("task.json", "config.json"), _read_model),
    "exported": Target(_exported, ("export.json", "task.json", "config.json", "tokenizer.json"), _read_exported),
    "tokenizer": Target(
        _model, ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"), _read_tokenizer
    ),
    "spiece": Target(_spiece, ("spiece.model",), _read_spiece),
    "estimator": Target(_model, ("task.json", "config.json", "tokenizer_config.json"), _read_state),
    "sentence-transformers": Target(
        _sentence_transformers,
        (
            "modules.json",
            "sentence_bert_config.json",
            "1_Pooling/config.json",
            "config_sentence_transformers.json",
            "2_Dense/config.json",
        ),
        _read_model,
    ),
    "pickle": Target(_pytorch, ("pytorch_model.bin",), _read_checkpoint),
}
"""Name -> what is damaged and how it is read."""


def run_case(healthy: Path, place: Path, *, name: str, number: int) -> Cost:
    """Damage a copy of a good folder, read and use it.

    Raises:
        AssertionError: as `run_guarded`.
    """
    target, draw = TARGETS[name], random.Random(f"{name} {number}")
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(healthy, place)
    victim = place / draw.choice(target.victims)
    damage = {".bin": mutate_torch_zip, ".model": mutate}.get(victim.suffix, mutate_json)
    if victim.suffix == ".json" and draw.random() < 0.15:
        damage = mutate
    victim.write_bytes(damage(victim.read_bytes(), draw))
    with redirect_stderr(io.StringIO()):
        return run_guarded(lambda: target.read(place, draw), case=f"{name} {number}")


def fuzz(name: str, numbers: range) -> Tally:
    """Run cases of a target."""
    from tests.tiny import tiny_folder

    from albertkit.inference.loading import load

    with tempfile.TemporaryDirectory(prefix="albertkit-fuzz-") as folder:
        healthy, place = TARGETS[name].make(Path(folder)), Path(folder, "damaged")
        load(tiny_folder()).embed([TEXT])  # imports what reading imports, so that no case pays for it
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            TARGETS[name].read(Path(shutil.copytree(healthy, Path(folder, "whole"))), random.Random(0))
        return Tally().run(lambda number: run_case(healthy, place, name=name, number=number), numbers)


if __name__ == "__main__":
    command(fuzz, names=TARGETS, option="target", description=__doc__)
