"""`albertkit info`."""

from __future__ import annotations

import click

from albertkit.cli.help import Command
from albertkit.cli.options import json_option, print_json


@click.command(cls=Command, epilog="Example: albertkit info albert-base-v2")
@click.argument("model")
@json_option
def command(model: str, as_json: bool) -> None:
    """Show a model's shape, its parameters, and how many sharing saves."""
    from albertkit.checkpoints.shapes import flops_per_token, parameter_counts, unshared_parameters
    from albertkit.config import PUBLISHED, published_config
    from albertkit.hub.known_models import cached_model_folder
    from albertkit.models.model_files import model_path, read_model

    if (
        model_path(model) is None and model in PUBLISHED and cached_model_folder(model) is None
    ):  # a known model's shape needs no weights
        config, heads = published_config(model), 0
    else:
        checkpoint = read_model(model)
        config = checkpoint.config
        heads = sum(tensor.numel() for name, tensor in checkpoint.state.items() if name.startswith("heads."))
    parts = parameter_counts(config)
    encoder = parts["total"]
    counts: dict[str, int] = {
        "total": encoder + heads,
        "embeddings": parts["embeddings"],
        "projection": parts["projection"],
        "shared_layers": parts["shared_layers"],
        "pooler": parts["pooler"],
        "heads": heads,
    }
    unshared = unshared_parameters(config)
    flops = flops_per_token(config)
    if as_json:
        print_json(
            {
                "config": config.to_dict(),
                "parameters": counts,
                "unshared_parameters": unshared,
                "reduction": 1 - encoder / unshared,
                "flops_per_token": flops,
                "memory_bytes": {"fp32": 4 * counts["total"], "bf16": 2 * counts["total"]},
            }
        )
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(f"{model}: {config.num_hidden_layers} layers of {config.hidden_size}, "
                  f"{config.num_attention_heads} heads, embeddings of {config.embedding_size}, "
                  f"{config.vocab_size:,} pieces, {config.hidden_act}")  # fmt: skip
    table = Table(box=None)
    table.add_column("part")
    table.add_column("parameters", justify="right")
    for part in ("embeddings", "projection", "shared_layers", "pooler", "heads", "total"):
        table.add_row(part.replace("_", " "), f"{counts[part]:,}")
    console.print(table)
    full = config.vocab_size * config.hidden_size
    console.print(
        f"The same network unshared and unfactorized has {unshared:,} parameters: ALBERT saves "
        f"{1 - encoder / unshared:.1%}.\n  word embeddings {config.embedding_size} wide instead of "
        f"{config.hidden_size}: {full - config.vocab_size * config.embedding_size:,} saved\n  "
        f"{config.num_hidden_groups * config.inner_group_num} set(s) of layer weights for {config.num_hidden_layers} "
        f"layers: {counts['shared_layers'] * (config.num_hidden_layers / config.num_hidden_groups - 1):,.0f} saved"
    )
    console.print(
        f"{flops / 1e6:,.1f} million floating-point operations a token (forward, without attention's products "
        f"between tokens); {4 * counts['total'] / 1e6:,.1f} MB in fp32. Sharing saves memory, not operations."
    )
