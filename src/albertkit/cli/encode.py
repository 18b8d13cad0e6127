"""`albertkit encode`."""

from __future__ import annotations

import click

from albertkit.cli.help import Command
from albertkit.cli.options import execution_options, json_option, notes_on_stderr, print_json


@click.command(cls=Command, epilog="Example: albertkit encode my-model --input batch.npz --output states.npz")
@click.argument("model")
@click.option(
    "--input", "input_path", type=click.Path(), required=True,
    help=".npz file with input_ids, input_mask and segment_ids, each [n, length].",
)  # fmt: skip
@click.option("--output", "--out", "output_path", type=click.Path(), required=True, help=".npz file to write.")
@execution_options
@json_option
def command(
    model: str,
    input_path: str,
    output_path: str,
    device: str,
    precision: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Run a model on padded arrays of token ids.

    Writes sequence_output [n, length, hidden] and pooled_output [n, hidden]; where the model has the heads,
    mlm_logits [n, length, vocabulary] and sop_logits [n, 2]. Padded positions are 0. In fp32 unless --precision says
    otherwise. No tokenizer is needed.
    """
    import time
    from pathlib import Path

    import numpy as np

    from albertkit.data.arrays import parts, read_padded_batch, spread, write_arrays
    from albertkit.hardware.device import choose_execution
    from albertkit.inference.pytorch import PyTorchRuntime
    from albertkit.inference.running import BATCH_TOKENS
    from albertkit.io.counts import counted_noun
    from albertkit.models.loaded import announce
    from albertkit.models.pretrained import load_model

    execution = choose_execution(device=device, precision="fp32" if precision == "auto" else precision, threads=threads)
    batch, mask = read_padded_batch(Path(input_path))
    with notes_on_stderr():
        loaded = load_model(model)
        announce(loaded.notes)
    outputs = ["sequence_output", "pooled_output"]
    outputs += [f"{head}_logits" for head in ("mlm", "sop") if head in loaded.network.heads]
    started = time.perf_counter()
    runtime = PyTorchRuntime(loaded.network, execution=execution)
    pieces = [runtime.run(part, outputs=outputs) for part in parts(batch, max_tokens=BATCH_TOKENS)]
    found = {name: np.concatenate([piece[name] for piece in pieces]) for name in outputs}
    seconds = time.perf_counter() - started
    padded = ("sequence_output", "mlm_logits")
    write_arrays(
        Path(output_path), {name: spread(found[name], mask) if name in padded else found[name] for name in outputs}
    )
    if as_json:
        print_json({"sequences": len(batch), "seconds": round(seconds, 3)})
    else:
        click.echo(f"{counted_noun(len(batch), 'sequence')} in {seconds:.2f} s, {', '.join(outputs)}: {output_path}")
