"""Known errors in the files of published models; the loader reports them if a model looks like one of these."""

from __future__ import annotations

from collections.abc import Iterator

from albertkit.checkpoints.checkpoint import Checkpoint
from albertkit.config import AlbertConfig, published_config

# Neither Google's nor Hugging Face's weights can reveal the number of heads: query, key and value are [H, H] for any.
_READ_OFF = ("tfhub2", "keras")
"""Formats whose tensors do reveal it."""


def known_issues(checkpoint: Checkpoint) -> Iterator[str]:
    """Yield a sentence for each thing that the files of a published model are known to have wrong.

    >>> xlarge = Checkpoint(published_config("albert-xlarge-v2"), {}, source_format="huggingface", source="m")
    >>> [sentence[:47] for sentence in known_issues(xlarge)]
    ['m: this looks like albert-xlarge-v2, whose numb']
    """
    config, source = checkpoint.config, checkpoint.source
    if checkpoint.source_format in _READ_OFF:
        return
    if _shaped_like(config, "albert-xlarge-v2") and config.num_attention_heads == 16 and not _has_dropout(config):
        # TF Hub's configuration of v2 and gluon-nlp's say 32; the hub's folder and v1 say 16.
        yield (
            f"{source}: this looks like albert-xlarge-v2, whose number of heads is in doubt: the files say 16, other "
            "publications of the same weights 32; compare your task's score with --num-heads 32 (convert takes it)"
        )
    if _shaped_like(config, "albert-xxlarge-zh") and config.num_attention_heads == 64:
        yield (
            f"{source}: this looks like the Chinese xxlarge, which was trained with 16 heads; the files say 64; "
            "convert it with --num-heads 16"
        )


def _shaped_like(config: AlbertConfig, name: str) -> bool:
    published = published_config(name)
    names = ("vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size")
    return all(getattr(config, each) == getattr(published, each) for each in names)


def _has_dropout(config: AlbertConfig) -> bool:
    return config.hidden_dropout_prob > 0 or config.attention_probs_dropout_prob > 0
