"""The model card of a saved folder: README.md, with the metadata that the Hugging Face hub reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from albertkit import __version__
from albertkit.checkpoints.huggingface_config import architecture_for
from albertkit.config import PUBLISHED
from albertkit.hub.hub_names import HUGGING_FACE, hub_dataset, hub_name
from albertkit.hub.known_models import MODEL_DOWNLOADS
from albertkit.models.loaded import Model
from albertkit.text.missing import MissingTokenizer
from albertkit.text.vocabulary import official_vocabulary

CARD = "README.md"


@dataclass(frozen=True)
class CardFacts:
    """What only the training of a model knows."""

    base: str
    """Name or path of the model that it started from; "" for random weights."""
    data: str
    """What it was trained on."""
    command: str
    """That trained it."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Metric -> value."""
    split: str = ""
    """That the scores are of."""
    intervals: Mapping[str, tuple[float, float] | None] = field(default_factory=dict)
    """Metric -> 95 % interval."""
    examples: Mapping[str, int] = field(default_factory=dict)
    """Use of a split -> rows."""
    limits: tuple[str, ...] = ()
    """Sentences to read together with the scores."""


def card_text(model: Model, folder: Path, facts: CardFacts | None) -> str:
    """Return the text of a model's card.

    Paths are shown as the names of their last folder or file: a card is made to be published.

    Args:
        model: what is saved.
        folder: where; a run directory's name, or the folder's, is the title.
        facts: what the training knows; None where there was none.
    """
    name = folder.parent.name if folder.name == "model" and folder.parent.name else folder.name
    said = facts or CardFacts("", "", "")
    lines = ["---", *yaml_lines(_metadata(model, name, said)), "---", "", f"# {name}", "", _summary(model, said), ""]
    if model.labels:
        lines += [f"Labels: {', '.join(model.labels)}.", ""]
    lines += ["## Use", "", "```python", "import albertkit", "", 'model = albertkit.load("PATH_OR_ORG/NAME")']
    lines += [f'model.{"embed" if model.task is None else "predict"}(["a text"])', "```", ""]
    if said.scores:
        lines += ["## Results", "", f"On {said.data}, split {said.split}:", "", *_table(said), ""]
    if said.data:
        lines += ["## Training", "", f"Data: {said.data}" + "".join(_amounts(said)) + "."]
        lines += [f"Started from: {short(said.base) if said.base else 'random weights'}.", ""]
        lines += ["```sh", said.command, "```", ""]
    lines += ["## Limits", "", *(f"- {limit}" for limit in (*_limits(model), *said.limits)), ""]
    return "\n".join([*lines, f"Written by albertkit {__version__}.", ""])


def short(name: str) -> str:
    """Return the last part of a path, a run's name for its model; names of models stay.

    >>> short("/home/me/runs/film/model"), short("albert-nano"), short("glue/sst2"), short("hf:/home/me/films")
    ('film', 'albert-nano', 'glue/sst2', 'hf:./films')
    """
    if name.startswith(HUGGING_FACE):
        place = name.removeprefix(HUGGING_FACE)
        return f"{HUGGING_FACE}./{Path(place).name}" if place.startswith((".", "/", "~")) else name
    path = Path(name)
    if not path.exists() and not path.is_absolute():
        return name
    return path.parent.name if path.name == "model" and path.parent.name else path.name


def _metadata(model: Model, name: str, facts: CardFacts) -> dict[str, Any]:
    """Return what the hub searches by; what is not known is left out."""
    heads = model.network.heads
    encoder_tag = "sentence-similarity" if model.embedding else "fill-mask" if "mlm" in heads else "feature-extraction"
    tag = encoder_tag if model.task is None else model.task.pipeline_tag
    known = facts.base if facts.base in PUBLISHED else model.source if model.source in PUBLISHED else None
    base = None if known is None or known not in MODEL_DOWNLOADS else MODEL_DOWNLOADS[known].repository
    if known is None and facts.base and not Path(facts.base).exists() and (found := hub_name(facts.base)) is not None:
        base = found.repository
    trained_on = hub_dataset(facts.data) if facts.data.startswith(HUGGING_FACE) else None
    values: dict[str, Any] = {
        "language": _language(model),
        "license": None if known is None else "apache-2.0",
        "library_name": _library(model),
        "pipeline_tag": tag,
        "base_model": base,
        "datasets": None if trained_on is None else [trained_on.repository],
        "tags": ["albert", "albertkit", *([] if model.task is None else [model.task.name.replace("_", "-")])],
        "metrics": [*facts.scores] or None,
    }
    if facts.scores and tag is not None:
        measured = [
            {"type": metric, "value": round(value, 4), "name": f"{metric} (0-100)"}
            for metric, value in facts.scores.items()
        ]
        data = {"type": facts.data, "name": facts.data, "split": facts.split}
        if trained_on is not None:
            data |= {"type": trained_on.repository, "revision": trained_on.revision}
            data |= {"config": trained_on.config} if trained_on.config else {}
        values["model-index"] = [
            {"name": name, "results": [{"task": {"type": tag}, "dataset": data, "metrics": measured}]}
        ]
    return {key: value for key, value in values.items() if value is not None}


def _language(model: Model) -> str | None:
    """Return the language of the vocabulary, where it is a published one."""
    if model.source.endswith("-zh"):
        return "zh"
    if isinstance(model.tokenizer, MissingTokenizer):
        return None
    return "en" if model.tokenizer.model == official_vocabulary().read_bytes() else None


def _library(model: Model) -> str:
    if model.task is None:
        return "transformers" if model.embedding is None else "sentence-transformers"
    state = model.network.canonical_state()
    is_there = architecture_for(state, pooling=model.head.pooling) != "AlbertModel"
    return "transformers" if is_there else "albertkit"


def _summary(model: Model, facts: CardFacts) -> str:
    what = "encoder" if model.task is None else f"{model.task.name.replace('_', ' ')} model"
    trained = f", trained on {facts.data}" if facts.data else ""
    config = model.config
    return (
        f"An ALBERT {what} of {config.num_hidden_layers} layers and hidden size {config.hidden_size}{trained}. "
        "albertkit reads every file of this folder."
    )


def _table(facts: CardFacts) -> Iterator[str]:
    yield from ("| metric (0-100) | value | 95 % interval |", "|---|---|---|")
    for metric, value in facts.scores.items():
        interval = facts.intervals.get(metric)
        shown = "not known" if interval is None else "{:.1f} to {:.1f}".format(*interval)
        yield f"| {metric} | {value:.2f} | {shown} |"


def _amounts(facts: CardFacts) -> Iterator[str]:
    if facts.examples:
        yield f" ({', '.join(f'{use}: {number:,} examples' for use, number in facts.examples.items())})"


def _limits(model: Model) -> Iterator[str]:
    language = {"en": "English", "zh": "Chinese"}.get(_language(model) or "")
    if language is not None:
        yield f"The vocabulary is {language}; other languages are split into single characters or unknown pieces."
    yield f"Trained on inputs of at most {model.max_length} tokens; longer texts are truncated or read in windows."
    if getattr(model.task, "problem_type", None) == "single_label_classification":
        yield "Every text gets one of the labels above, also a text that has nothing to do with them."
    if MODEL_DOWNLOADS.keys().isdisjoint({model.source}) and model.source not in PUBLISHED:
        yield "The licence of the starting model and of the data was not recorded; both apply to this model."


def yaml_lines(values: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield a mapping as YAML: block style, with every string in the double quotes that JSON and YAML share.

    >>> print("\\n".join(yaml_lines({"tags": ["a"], "n": [{"k": {"x": 1}, "m": "on"}]})))
    tags:
    - "a"
    n:
    - k:
        x: 1
      m: "on"
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}:"
            yield from yaml_lines(value, indent + "  ")
        elif isinstance(value, list):
            yield f"{indent}{key}:"
            for item in value:
                if isinstance(item, Mapping):
                    first, *rest = yaml_lines(item, indent + "  ")
                    yield f"{indent}- {first.lstrip()}"
                    yield from rest
                else:
                    yield f"{indent}- {_scalar(item)}"
        else:
            yield f"{indent}{key}: {_scalar(value)}"


def _scalar(value: str | float) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    # JSON escapes what is beyond U+FFFF in two parts, which YAML reads as two characters.
    return "".join(
        character if character.isprintable() and character.isascii() else _escaped(character)
        for character in json.dumps(value, ensure_ascii=False)
    )


def _escaped(character: str) -> str:
    code = ord(character)
    return character if character.isprintable() else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
