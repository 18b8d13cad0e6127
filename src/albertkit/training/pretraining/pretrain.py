"""Pretrain: from shards to a run directory with its model, report and curves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from albertkit.data.corpus.shards import Corpus
from albertkit.errors import UsageError
from albertkit.hardware.device import Execution
from albertkit.io.locks import locked
from albertkit.io.progress import Progress, Silent
from albertkit.models.card import CardFacts, short
from albertkit.models.pretrained import save_model
from albertkit.tasks.pretraining.objective import PretrainingObjective
from albertkit.training.agreement import check_agreement
from albertkit.training.checks import training_execution
from albertkit.training.optimizers import build_optimizer
from albertkit.training.pretraining.inputs import open_inputs, scoring_stream, shards_digest
from albertkit.training.pretraining.loop import Pretraining, PretrainLoop
from albertkit.training.pretraining.report import PretrainReport
from albertkit.training.pretraining.settings import PretrainSettings
from albertkit.training.pretraining.start import begin
from albertkit.training.pretraining.state import PretrainState
from albertkit.training.processes import Processes, join_processes, on_own_device
from albertkit.training.repeating import repeating_command
from albertkit.training.run import Run
from albertkit.training.run_folder import RunFolder, one_writer
from albertkit.training.shares import Shares
from albertkit.training.token_report import finish, shared_figures
from albertkit.training.tracking import Tracking

BETAS = (0.9, 0.98)
"""AdamW's; the second one shorter than Google's, for a run of thousands of steps, not a hundred thousand."""


def pretrain(settings: PretrainSettings, *, resume: bool = False, progress: Progress | None = None) -> PretrainReport:
    """Train masked pieces and sentence order on shards, and write the run directory.

    Under torchrun all processes call this with the same settings; the first writes and reports.

    Args:
        settings: what to do; open choices come from the recipe for the size.
        resume: continue a run that was stopped; on one process its weights end as if it had not been.
        progress: gets the progress reports; silent by default.

    Raises:
        UsageError, DataError, CheckpointError, ConfigError: the settings, the shards or the model cannot be used.
        RunError: the run directory exists, cannot continue, or the loss ran away for good.
        WriteError: the system refused a file.
    """
    with join_processes() as processes, ExitStack() as held:
        with processes.together("preparation"):
            if processes.is_main:  # the others write nothing
                held.enter_context(locked(settings.out))
            execution = _execution(settings)
            tracking = held.enter_context(Tracking(settings.track if processes.is_main else (), progress))
            own = progress or Silent() if processes.is_main else Silent()
            opened = partial(Run, execution, progress=own, tracking=tracking, shares=Shares(processes))
            training = _prepared(settings, processes, resume=resume, opened=opened, device=execution.device)
        check_agreement(
            processes,
            training.resolved.settings,
            out=settings.out,
            config=training.model.config,
            inputs=_digests(training.corpus),
            execution=execution,
            begun=RunFolder(settings.out).is_begun and resume,
        )
        processes.connect(execution.device)
        return _trained(training.shared_out())


def _execution(settings: PretrainSettings) -> Execution:
    execution = training_execution(settings, to="pretrain")
    if execution.precision == "fp16":
        raise UsageError("pretraining in fp16 would need loss scaling; use --precision bf16 or fp32")
    return on_own_device(execution)


def _prepared(
    settings: PretrainSettings,
    processes: Processes,
    *,
    resume: bool,
    opened: Callable[[RunFolder], Run],
    device: str,
) -> Pretraining:
    """Check everything that can be checked before the first step; nothing is written."""
    inputs = open_inputs(settings, processes=processes.world)
    resolved, stream = inputs.resolved, inputs.stream
    folder = None
    if processes.is_main:  # the others need not see the directory, and may see what the first has just begun
        kept = {**resolved.settings.to_dict(), "processes": processes.world}
        folder = RunFolder.open(settings.out, kept, resume=resume, inputs=_digests(inputs.corpus))
    run = opened(one_writer(processes, folder, device=device))
    return Pretraining(resolved, inputs.corpus, inputs.model, stream, scoring_stream(stream, inputs.held_out), run)


def _digests(corpus: Corpus) -> dict[str, str]:
    return {"shards": shards_digest(corpus)}


def _trained(training: Pretraining) -> PretrainReport:
    """Train to the end and write what came out."""
    settings, model, run = training.resolved.settings, training.model, training.run
    processes = run.shares.processes
    network = model.network
    run.note((*run.folder.notes, *model.notes))
    network.to(run.execution.torch_device)
    optimizer = build_optimizer(
        settings.optimizer,
        [network],
        weight_decay=settings.weight_decay,
        bias_correction=settings.bias_correction,
        betas=BETAS if settings.bias_correction else (0.9, 0.999),
    )
    network.encoder.gradient_checkpointing = settings.gradient_checkpointing
    loop = PretrainLoop(training, PretrainState(network, optimizer))
    restored = loop.restored()
    with processes.together("start"):
        if processes.is_main and not restored and settings.config is not None:
            begin(
                network, training.corpus, training.stream.documents, init=settings.init, seed=settings.seed,
                progress=run.progress,
            )  # fmt: skip
        run.begin({**settings.to_dict(), **run.shares.to_dict()}, step=loop.state.step)
    if settings.compile:
        for group in network.encoder.groups:
            group.compile(dynamic=True)
    if processes.world > 1 and not restored:
        network.load_state_dict(processes.broadcast(network.state_dict(), device=run.execution.torch_device))
    objective = PretrainingObjective(network).train()
    loop.train(objective)
    scores, held_out_tokens = loop.score_all(objective)
    processes.wait()
    report = PretrainReport(
        mlm_loss=scores.mlm_loss,
        mlm_accuracy=scores.mlm_accuracy,
        sop_loss=scores.sop_loss,
        sop_accuracy=scores.sop_accuracy,
        data=settings.data,
        model=settings.model or f"{settings.config} ({settings.init} start)",
        held_out_tokens=held_out_tokens,
        returns=loop.state.guard.returns,
        notes=model.notes,
        command=settings.to_dict(),
        **shared_figures(loop.state, run),
    )
    if processes.is_main:
        card = CardFacts(
            base=settings.model or "",
            data=short(settings.data),
            command=repeating_command("pretrain", settings, suffix="", shown=short),
            scores={"mlm_accuracy": scores.mlm_accuracy, "sop_accuracy": scores.sop_accuracy},
            split="held-out text" if held_out_tokens else "training text",
        )
        command = repeating_command("pretrain", settings)
        finish(report, run, save=lambda folder: save_model(model, folder, card=card), command=command)
    return report
