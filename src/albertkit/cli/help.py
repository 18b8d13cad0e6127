"""Help: a command's example first, then its options in groups, the everyday ones first in each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Data": (
        *("data", "input_path", "text_column", "pair_column", "label_column", "pair", "task", "data_dir", "split"),
        *("validation", "test", "train_split", "validation_split", "test_split", "as_trained", "held_out"),
        *("tasks", "predictions", "prediction_column", "null_odds", "null_threshold", "scheme"),
        *("input_format", "labels", "limit", "train_limit", "unlabelled", "sentences", "by_sentence", "encoding"),
        *("skip_bad_rows", "bad_bytes", "pairs", "jsonl", "quick", "corpus", "corpus_column", "threshold"),
    ),
    "Model": (
        *("model", "teacher", "config", "nli", "version", "pooling", "freeze_encoder", "max_length"),
        *("dimensions", "head_hidden", "head_norm", "long", "stride", "max_windows", "exits", "tolerance", "entropy"),
        *("num_layers", "num_heads", "activation", "mode", "keep_accents", "specials", "start", "init"),
        *("extra_dimensions", "size", "by_index", "rerank", "candidates", "rerank_label"),
    ),
    "Training": (
        *(
            "trials",
            "no_pruning",
            "epochs",
            "learning_rate",
            "batch_size",
            "tokens",
            "steps",
            "few_shot",
            "seed",
            "seeds",
            "resume",
        ),
        *("class_weights", "teacher_weight", "temperature", "patience", "optimizer", "schedule", "warmup"),
        *("cooldown", "weight_decay", "clip_norm", "bias_correction", "accumulate", "stages"),
        *("mlm_probability", "max_ngram", "short_share", "spread_positions", "google_quirks"),
        *("relation_weight", "pooler_weight", "pretraining", "pretraining_weight", "word_rate", "layer_rate"),
        *("eval_share", "eval_tokens", "no_baseline"),
    ),
    "Negatives": ("negatives", "relative_margin", "margin", "range_min", "range_max", "sampling"),
    "Server": ("host", "port", "api_key_file", "allowed", "origins"),
    "Limit": ("queue", "deadline", "batch_wait", "max_body", "max_texts", "max_characters", "max_tokens"),
    "Download": ("source", "yes", "offline", "verify"),
    "Upload": ("private", "message"),
    "Output": (
        *("out", "output_path", "to", "top", "explain", "explain_html", "explain_method", "explain_label"),
        *("overwrite", "save_seconds", "track", "shard_tokens"),
        "as_json",
    ),
    "Hardware": (
        *(
            "device",
            "precision",
            "threads",
            "parallel",
            "batch_tokens",
            "processes",
            "gradient_checkpointing",
            "compile",
            "ray",
            "workers",
        ),
    ),
}
"""Group -> its options by parameter name, in the order of the help."""
_PLACE = {name: (group, place) for group, names in GROUPS.items() for place, name in enumerate(names)}


class Command(click.Command):
    """A command whose help shows the example first and the options in groups.

    Args:
        moved: option -> group, where another group than that of `GROUPS` fits this command better.
        args, kwargs: see `click.Command`.
    """

    def __init__(self, *args: Any, moved: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.moved = moved or {}

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write usage, description, example and options."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self.format_epilog(ctx, formatter)
        self.format_options(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by group."""
        rows: dict[str, list[tuple[int, tuple[str, str]]]] = {group: [] for group in GROUPS}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                group, place = _PLACE.get(param.name or "", ("Output", len(_PLACE)))
                rows[self.moved.get(param.name or "", group)].append((place, record))
        for group, found in rows.items():
            if found:
                with formatter.section(f"{group} options"):
                    formatter.write_dl([record for _, record in sorted(found, key=lambda row: row[0])])
