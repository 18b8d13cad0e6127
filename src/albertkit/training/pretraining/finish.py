"""The end of a pretraining: the model's folder, the curves, the report."""

from __future__ import annotations

from pathlib import Path

from albertkit.evaluation.pretraining_plots import plot_pretraining, read_curves
from albertkit.hardware.device import Execution
from albertkit.io.progress import Teller
from albertkit.models.pretrained import Model, save_model
from albertkit.training.finish import environment
from albertkit.training.pretraining.processes import Processes
from albertkit.training.pretraining.report import PretrainReport
from albertkit.training.pretraining.settings import PretrainSettings
from albertkit.training.pretraining.state import PretrainState
from albertkit.training.pretraining.steps import PretrainScores
from albertkit.training.run import RunFolder


def finish(
    model: Model,
    *,
    settings: PretrainSettings,
    scores: PretrainScores,
    held_out_tokens: int,
    state: PretrainState,
    run: RunFolder,
    execution: Execution,
    processes: Processes,
    teller: Teller,
) -> PretrainReport:
    """Write model, curves and report; return the report. Only the first process writes.

    Raises:
        WriteError: the system refused a file; what was written before stays.
    """
    report = PretrainReport(
        mlm_loss=scores.mlm_loss,
        mlm_accuracy=scores.mlm_accuracy,
        sop_loss=scores.sop_loss,
        sop_accuracy=scores.sop_accuracy,
        tokens=state.tokens,
        tokens_per_second=round(state.tokens / max(state.seconds, 1e-9), 1),
        steps=state.step,
        seconds=round(state.seconds, 2),
        data=settings.data,
        model=settings.model or f"{settings.config} ({settings.init} start)",
        held_out_tokens=held_out_tokens,
        evaluations=state.evaluations,
        returns=state.guard.returns,
        notes=model.notes,
        environment={**environment(execution), "processes": processes.world},
        command=settings.to_dict(),
    )
    if processes.is_main:
        save_model(model, run.path / "model")
        teller.say(f"model: {run.path / 'model'}")
        name = Path(run.path).name
        plot_pretraining({name: read_curves(run.path)}, path=run.path / "plots" / "history.png")
        report.write(run.path)  # last: its presence says that the run is complete
    return report
