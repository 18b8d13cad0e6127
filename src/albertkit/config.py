"""AlbertConfig, the published sizes (v1, v2, zh), albertkit's own nano, and names of parts of the network."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from albertkit.errors import ConfigError, UsageError, did_you_mean

ACTIVATIONS = ("gelu", "gelu_new", "relu")
"""Names as Hugging Face writes them: `gelu` is the erf form, `gelu_new` the tanh form."""

Pooling = Literal["pooler", "cls", "mean"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
"""What makes a vector of a text (`tasks.pooling` computes them)."""
HEAD_POOLINGS = (*POOLINGS, "pair")
"""What a task's head can read of each sequence: `pair` reads its two texts."""

# Keys that published config files carry and that say nothing about the network of this class.
_FOREIGN_KEYS = frozenset(
    {
        "model_type", "architectures", "transformers_version", "torch_dtype", "dtype", "problem_type", "id2label",
        "label2id", "num_labels", "bos_token_id", "eos_token_id", "pad_token_id", "position_embedding_type",
        "tie_word_embeddings", "output_past", "down_scale_factor", "gap_size", "num_memory_blocks",
        "net_structure_type", "use_cache", "is_decoder", "cross_attention_hidden_size", "add_cross_attention",
        "chunk_size_feed_forward", "gradient_checkpointing", "return_dict", "output_attentions",
        "output_hidden_states", "is_encoder_decoder", "finetuning_task", "pruned_heads", "_name_or_path",
        "directionality", "transformers.js_config",
    }
)  # fmt: skip

LARGEST: Mapping[str, int] = {
    "vocab_size": 10_000_000,
    "embedding_size": 65_536,
    "hidden_size": 65_536,
    "num_hidden_layers": 1_000,
    "num_hidden_groups": 1_000,
    "num_attention_heads": 4_096,
    "intermediate_size": 1_048_576,
    "inner_group_num": 100,
    "max_position_embeddings": 1_048_576,
    "type_vocab_size": 1_024,
}
"""The largest value of each size. No model comes near; a damaged file must not ask for memory or hours without end."""


@dataclass(frozen=True)
class AlbertConfig:
    """Shape and constants of one ALBERT network, under their published names."""

    vocab_size: int = 30000
    """Number of pieces."""
    embedding_size: int = 128
    """Width E of the factorized embeddings."""
    hidden_size: int = 4096
    """Width H of the layers."""
    num_hidden_layers: int = 12
    """How many times a layer is applied."""
    num_hidden_groups: int = 1
    """Number of groups of weights that the layers share."""
    num_attention_heads: int = 64
    """Attention heads; they divide hidden_size."""
    intermediate_size: int = 16384
    """Width of the feed-forward part."""
    inner_group_num: int = 1
    """Layers with their own weights inside a group."""
    hidden_act: str = "gelu_new"
    """Activation: gelu (erf form), gelu_new (tanh form) or relu."""
    hidden_dropout_prob: float = 0.0
    """Dropout on embeddings and on each block's output, a probability in [0, 1)."""
    attention_probs_dropout_prob: float = 0.0
    """Dropout on attention probabilities, a probability in [0, 1)."""
    max_position_embeddings: int = 512
    """Longest sequence, in tokens."""
    type_vocab_size: int = 2
    """Number of segments."""
    initializer_range: float = 0.02
    """Standard deviation of fresh weights (truncated normal)."""
    layer_norm_eps: float = 1e-12
    """Added to the variance in layer normalization."""
    classifier_dropout_prob: float = 0.1
    """Dropout on the pooled output before a classifier, a probability in [0, 1)."""
    project_equal_widths: bool = False
    """Whether embeddings that are as wide as the layers are projected, too, as models made by transformers do; Google's
    code projects only where the widths differ."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {getattr(self, name)!r:.60}, not a whole number from 1 to {largest}"
            for name, largest in LARGEST.items()
            if type(getattr(self, name)) is not int or not 1 <= getattr(self, name) <= largest
        ]
        problems += [
            f"{name} is {getattr(self, name)!r:.60}, not a probability in [0, 1)"
            for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout_prob")
            if not isinstance(getattr(self, name), (int, float)) or not 0 <= getattr(self, name) < 1
        ]
        problems += [
            f"{name} is {getattr(self, name)!r:.60}, not a positive number"
            for name in ("initializer_range", "layer_norm_eps")
            if not isinstance(getattr(self, name), (int, float)) or not getattr(self, name) > 0
        ]
        if not isinstance(self.project_equal_widths, bool):
            problems.append(f"project_equal_widths is {self.project_equal_widths!r:.60}, not true or false")
        if self.hidden_act not in ACTIVATIONS:
            problems.append(f"hidden_act is {self.hidden_act!r:.60}, not one of {', '.join(ACTIVATIONS)}")
        if not problems and self.hidden_size % self.num_attention_heads:
            problems.append(f"{self.num_attention_heads} attention heads do not divide hidden_size {self.hidden_size}")
        if not problems and self.num_hidden_groups > self.num_hidden_layers:
            problems.append(f"{self.num_hidden_groups} groups are more than {self.num_hidden_layers} layers")
        if problems:
            raise ConfigError("the configuration is invalid: " + "; ".join(problems))

    @property
    def has_projection(self) -> bool:
        """Whether a linear map leads from the embeddings to the layers."""
        return self.embedding_size != self.hidden_size or self.project_equal_widths

    def group_of_layer(self, layer: int) -> int:
        """Return the group whose weights layer number `layer` (from 0) uses.

        Google's `int(i / L * G)` rounds some exact quotients down; this is the whole-number form.

        >>> [AlbertConfig(num_hidden_layers=5, num_hidden_groups=2).group_of_layer(i) for i in range(5)]
        [0, 0, 0, 1, 1]
        """
        return layer * self.num_hidden_groups // self.num_hidden_layers

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "config") -> AlbertConfig:
        """Build from a mapping with published names; keys of other software are ignored.

        Args:
            values: name -> value, as in a `config.json`.
            where: what an error message calls the source.

        Raises:
            ConfigError: a key that nobody publishes (with the nearest known one), or an invalid value.
        """
        known = {entry.name for entry in fields(cls)}
        unknown = [key for key in values if key not in known and key not in _FOREIGN_KEYS]
        if unknown:
            hints = ", ".join(f'"{key:.60}"{did_you_mean(key, known)}' for key in unknown[:20])
            raise ConfigError(f"{where}: unknown configuration key {hints}")
        if values.get("net_structure_type", 0) != 0:
            raise ConfigError(
                f"{where}: net_structure_type {values['net_structure_type']!r:.60} is not supported, only 0"
            )
        try:
            return cls(**{key: value for key, value in values.items() if key in known})
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> AlbertConfig:
        """Read a JSON file with published names.

        Raises:
            ConfigError: the file is not JSON of a mapping, or see `from_dict`.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: cannot be read as JSON ({error})") from error
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: holds {type(values).__name__}, not a mapping of names to values")
        return cls.from_dict(values, where=str(path))

    def to_dict(self) -> dict[str, Any]:
        """Return all fields under their published names; the one that has none only where it is set."""
        values = asdict(self)
        if not self.project_equal_widths:
            del values["project_equal_widths"]
        return values

    def with_dropout(self, probability: float) -> AlbertConfig:
        """Return the same network with both inner dropouts set to `probability`."""
        return replace(self, hidden_dropout_prob=probability, attention_probs_dropout_prob=probability)


def _published() -> dict[str, AlbertConfig]:
    shapes = {"base": (768, 12, 12), "large": (1024, 24, 16), "xlarge": (2048, 24, 16), "xxlarge": (4096, 12, 64)}
    configs = {
        "albert-nano": AlbertConfig(
            embedding_size=224,  # 96 of them hold what a teacher of vectors says of each piece
            hidden_size=256,
            num_hidden_layers=6,
            num_attention_heads=4,
            intermediate_size=1024,
            hidden_act="gelu",  # a processor computes the erf form five times faster than the tanh form
        )
    }
    for size, (hidden, layers, heads) in shapes.items():
        shape = AlbertConfig(
            hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=4 * hidden
        )
        # HF's v1 configs say "gelu" (erf); v1 was trained with dropout 0.1, except xxlarge.
        v1 = replace(shape, hidden_act="gelu").with_dropout(0.0 if size == "xxlarge" else 0.1)
        configs[f"albert-{size}-v1"] = v1
        configs[f"albert-{size}-v2"] = shape
        # The Chinese models use BERT's WordPiece and relu; xxlarge-zh has 16 heads, not 64.
        configs[f"albert-{size}-zh"] = replace(
            shape,
            vocab_size=21128,
            hidden_act="relu",
            num_attention_heads=min(heads, 16),
            initializer_range={"xlarge": 0.014, "xxlarge": 0.01}.get(size, 0.02),
        )
    return configs


PUBLISHED: Mapping[str, AlbertConfig] = _published()
"""Known names and their configurations."""


def nearest_model(name: str) -> str:
    """Return `; did you mean "x"?` for the known model nearest to `name`; of equals the newest English one.

    >>> nearest_model("albert-base"), nearest_model("zzz")
    ('; did you mean "albert-base-v2"?', '')
    """
    versions = ("v2", "nano", "v1", "zh")
    return did_you_mean(name, sorted(PUBLISHED, key=lambda known: versions.index(known.rpartition("-")[2])))


def published_config(name: str) -> AlbertConfig:
    """Return the configuration of a known model.

    >>> published_config("albert-base-v2").hidden_size
    768

    Raises:
        UsageError: the name is unknown; the sentence holds the nearest one.
    """
    if name not in PUBLISHED:
        raise UsageError(f'unknown model "{name}"{nearest_model(name)} (albertkit models lists them)')
    return PUBLISHED[name]
