"""The known models as rows: what `albertkit models` lists. Torch is not needed."""

from __future__ import annotations

from typing import Any

from albertkit.config import PUBLISHED, AlbertConfig


def encoder_parameters(config: AlbertConfig) -> int:
    """Return the number of parameters of encoder and pooler (paper, table 1, to the unit).

    >>> encoder_parameters(PUBLISHED["albert-base-v2"])
    11683584
    """
    embedding, hidden, inner = config.embedding_size, config.hidden_size, config.intermediate_size
    tables = (config.vocab_size + config.max_position_embeddings + config.type_vocab_size + 2) * embedding
    projection = 0 if embedding == hidden else embedding * hidden + hidden
    layer = 4 * (hidden * hidden + hidden) + 2 * hidden * inner + inner + hidden + 4 * hidden
    pooler = hidden * hidden + hidden
    return tables + projection + config.num_hidden_groups * config.inner_group_num * layer + pooler


def flops_per_token(config: AlbertConfig) -> int:
    """Return the floating-point operations that one token costs forward: two for each product of a linear map.

    Every application of a layer counts, shared or not: sharing saves memory and no operation. Left out are the tables
    of embeddings (looked up), the pooler (once a sequence) and attention's products between tokens (they grow with
    the length).

    >>> flops_per_token(PUBLISHED["albert-base-v2"])
    170065920
    """
    embedding, hidden, inner = config.embedding_size, config.hidden_size, config.intermediate_size
    projection = 0 if embedding == hidden else embedding * hidden
    layer = 4 * hidden * hidden + 2 * hidden * inner
    return 2 * (projection + config.num_hidden_layers * config.inner_group_num * layer)


def known_models() -> list[dict[str, Any]]:
    """Return one row a model: name, version, size, parameters, shape, licence, source, and whether weights are here."""
    rows = []
    for name, config in PUBLISHED.items():
        _, size, *version = name.split("-")
        chinese = version == ["zh"]
        rows.append(
            {
                "name": name,
                "version": version[0] if version else "nano",
                "size": size,
                "parameters": encoder_parameters(config),
                "layers": config.num_hidden_layers,
                "hidden_size": config.hidden_size,
                "heads": config.num_attention_heads,
                "licence": "Apache-2.0",
                "source": "albertkit" if not version else "google-research/albert" + (" (Chinese)" if chinese else ""),
                "cached": not version,
            }
        )
    return rows
