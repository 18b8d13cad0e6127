"""The loop of a pretraining: stages, returns after a loss that ran away, scores on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from torch import nn

from albertkit.data.corpus.shards import Corpus
from albertkit.data.pretraining.ahead import batch_workers, built_ahead
from albertkit.data.pretraining.google_stream import GoogleStream
from albertkit.data.pretraining.stream import InstanceStream, PendingBatch, Position
from albertkit.models.loaded import Model
from albertkit.models.pretrained import save_model
from albertkit.training.pretraining.events import step_event, step_info
from albertkit.training.pretraining.guard import good_interval
from albertkit.training.pretraining.inputs import scored_batches
from albertkit.training.pretraining.settings import ResolvedPretraining
from albertkit.training.pretraining.stages import Stage
from albertkit.training.pretraining.state import PretrainState
from albertkit.training.pretraining.steps import PretrainScores, PretrainStep, held_out_scores, train_step
from albertkit.training.run import Run
from albertkit.training.run_folder import GOOD
from albertkit.training.shares import chosen_workers

Batches = Iterator[tuple[PendingBatch, Position]]


@dataclass(frozen=True)
class Pretraining:
    """What a pretraining trains on, and where."""

    resolved: ResolvedPretraining
    corpus: Corpus
    model: Model
    stream: InstanceStream
    held_out: InstanceStream | None
    run: Run

    def shared_out(self) -> Pretraining:
        """Choose how many workers each process has; together they pass over as many tokens as one would at once."""
        settings = self.resolved.settings
        workers = chosen_workers(
            self.run.folder.recorded("parallel", settings.parallel),
            execution=self.run.execution,
            config=self.model.config,
            processes=self.run.shares.processes,
            step_tokens=settings.batch_tokens * settings.accumulate,
        )
        run = replace(self.run, shares=replace(self.run.shares, workers=workers))
        stream = replace(self.stream, batch_tokens=max(self.stream.batch_tokens // workers, 1))
        return replace(self, run=run, stream=stream)


class PretrainLoop:
    """Trains, scores and keeps models.

    Args:
        training: the pretraining to run.
        state: fresh; see `restored`.
    """

    def __init__(self, training: Pretraining, state: PretrainState) -> None:
        self.training = training
        self.state = state

    @property
    def stage(self) -> Stage:
        """The stage that the state is in."""
        return self.training.resolved.stages.stages[self.state.stage]

    def restored(self) -> bool:
        """Let every process continue from the last checkpoint; return whether there is one."""
        return self.state.restore(self.training.run.folder)

    def train(self, objective: nn.Module) -> None:
        """Train the parameters of a `PretrainingObjective` to the last step."""
        resolved, run, state = self.training.resolved, self.training.run, self.state
        settings, fall = resolved.settings, resolved.steps - resolved.schedule.cooldown_steps
        for _ in run.follow(
            self._steps(objective),
            state,
            what="pretraining",
            total=resolved.steps,
            save_seconds=settings.save_seconds,
            event=lambda step: step_event(state, step, stage=self.stage),
            info=step_info,
        ):
            if state.step % resolved.evaluate_every == 0 and state.step < resolved.steps:
                self._evaluate(objective)
            if settings.schedule == "cooldown" and state.step == fall:
                self._keep("before_cooldown")
            if state.step % good_interval(resolved.steps) == 0:
                state.save(run.folder, name=GOOD)

    def score_all(self, objective: nn.Module) -> tuple[PretrainScores, int]:
        """Return the scores on all held-out text and its tokens; on some training text, and 0, where there is none."""
        training = self.training
        execution, processes = training.run.execution, training.run.shares.processes
        length = training.resolved.stages.stages[-1].length
        batches = scored_batches(training.held_out, max_length=length, most=None)
        if batches:
            with training.run.progress.bar("scoring held-out text", total=1) as advance:
                scores = held_out_scores(objective, batches, execution=execution, processes=processes)
                advance(1)
            self._record(scores)
            return scores, scores.tokens
        sample = [pending for pending, _ in islice(training.stream.batches(), 20)]
        return held_out_scores(objective, sample, execution=execution, processes=processes), 0

    def _steps(self, objective: nn.Module) -> Iterator[PretrainStep]:
        """Yield the steps from the state on; if the loss diverges at a step, return to a checkpoint instead."""
        resolved, run, state = self.training.resolved, self.training.run, self.state
        settings, rate = resolved.settings, resolved.schedule
        batches = self._batches()
        if state.step == 0:
            state.save(run.folder, name=GOOD)
        while state.step < resolved.steps:
            if resolved.stages.at(state.step, total_steps=resolved.steps)[0] != state.stage:
                batches = self._next_stage()
            pending, positions = zip(*islice(batches, settings.accumulate * run.shares.count), strict=True)
            step = train_step(
                objective,
                state.optimizer,
                pending,
                learning_rate=rate(state.step) * state.guard.factor,
                clip_norm=settings.clip_norm,
                execution=run.execution,
                shares=run.shares,
                seed=settings.seed * 1_000_003 + state.step,
            )
            if state.guard.is_good(step.scores.mlm_loss + step.scores.sop_loss, step.gradient_norm):
                state.position = positions[-1]
                yield step
            else:
                batches = self._go_back(positions[-1], step.learning_rate)

    def _batches(self) -> Batches:
        """Let the stage's layers run, and return the batches from the state's position on."""
        training, position = self.training, self.state.position
        settings, processes = training.resolved.settings, training.run.shares.processes
        training.model.network.encoder.active_layers = self.stage.layers
        read = replace(training.stream, max_length=self.stage.length)
        stream = GoogleStream.like(read) if settings.google_quirks else read
        workers = settings.workers
        if workers is None:
            workers = batch_workers(training.run.execution.device)
        if not workers:
            return stream.batches(position)
        return built_ahead(stream, position, workers=workers, rank=processes.rank, world=processes.world)

    def _next_stage(self) -> Batches:
        resolved, run, state = self.training.resolved, self.training.run, self.state
        state.stage, stage = resolved.stages.at(state.step, total_steps=resolved.steps)
        # The rest of the pool was cut for another length: continue with the next one.
        state.position = Position(state.position.epoch, state.position.pool + 1, 0)
        state.guard.begin_stage()
        run.progress.report(f"step {state.step:,}: {stage.layers} layers, {stage.length} tokens")
        state.save(run.folder, name=GOOD)
        run.shares.processes.wait()
        return self._batches()

    def _go_back(self, position: Position, rate: float) -> Batches:
        """Restore the last good point, but continue behind the text at which the loss ran away."""
        run, state = self.training.run, self.state
        step = state.step + 1
        state.go_back(run.folder.load_checkpoint(name=GOOD) or {}, folder=run.folder)
        sentence = state.guard.go_back(step=step, good_step=state.step, rate=rate)
        run.progress.report(sentence, kind="warning")
        state.position = position
        run.folder.begin({}, step=state.step)  # drops the events after that step: they come again
        run.log({"event": "return", "step": state.step, "from_step": step, "factor": state.guard.factor})
        state.save(run.folder)
        return self._batches()

    def _evaluate(self, objective: nn.Module) -> None:
        training, state = self.training, self.state
        most = training.resolved.settings.eval_tokens
        batches = scored_batches(training.held_out, max_length=self.stage.length, most=most)
        if not batches:
            return
        execution, processes = training.run.execution, training.run.shares.processes
        scores = held_out_scores(objective, batches, execution=execution, processes=processes)
        training.run.log({"event": "evaluation", **self._record(scores)})
        training.run.progress.report(
            f"step {state.step:,}, {state.tokens:,} tokens: held-out loss {scores.mlm_loss:.3f}, "
            f"accuracy {scores.mlm_accuracy:.2f}; order {scores.sop_loss:.3f}, {scores.sop_accuracy:.2f}"
        )
        self._keep("model")

    def _record(self, scores: PretrainScores) -> dict[str, Any]:
        state, stage = self.state, self.stage
        place = {"layers": stage.layers, "length": stage.length}
        record = {"step": state.step, "training_tokens": state.tokens, **place, **scores.to_dict()}
        state.evaluations.append(record)
        return record

    def _keep(self, name: str) -> None:
        if self.training.run.shares.processes.is_main:
            save_model(self.training.model, self.training.run.folder.path / name)
