"""Distil: from a teacher's vectors of texts to a run directory with its student, report and curves."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from albertkit.checkpoints.dense import Dense
from albertkit.errors import RunError, UsageError
from albertkit.evaluation.pretraining_plots import panels_of, plot_pretraining, read_curves
from albertkit.hardware.device import Execution, choose_execution, set_seed
from albertkit.io.locks import locked
from albertkit.io.progress import Silent, Teller
from albertkit.models.pretrained import EmbeddingSpec, Model, save_model
from albertkit.tasks.distillation.objective import DistillObjective
from albertkit.tasks.network import Network
from albertkit.training.checks import check_alone
from albertkit.training.digest import content_digest
from albertkit.training.distillation.inputs import Source, batches_of, read_source, with_masks
from albertkit.training.distillation.maps import fit_maps, map_of_the_mean
from albertkit.training.distillation.report import DistillReport
from albertkit.training.distillation.settings import DistillSettings
from albertkit.training.distillation.state import DistillState
from albertkit.training.distillation.steps import DistillScores, DistillStep, held_out_scores, train_step
from albertkit.training.distillation.student import begin_with_pieces, check_dimensions, starting_student
from albertkit.training.distillation.widening import begin_with_path, extra_dimensions, notes_on_rate, widened
from albertkit.training.finish import environment
from albertkit.training.optimizers import build_optimizer
from albertkit.training.run import RunFolder
from albertkit.training.schedules import learning_rate

BETAS = (0.9, 0.98)


def distill(settings: DistillSettings, *, resume: bool = False, teller: Teller | None = None) -> DistillReport:
    """Train a student's vectors towards a teacher's, and write the run directory.

    Args:
        settings: what to do.
        resume: continue a run that was stopped; its weights end as if it had not been.
        teller: where progress is reported; silent when left out.

    Raises:
        UsageError, DataError, CheckpointError, ConfigError: the settings, the texts, the teacher or the student cannot
            be used.
        MissingExtraError: the teacher needs a library that is not installed.
        RunError: the run directory exists or cannot continue, or the loss is no number any more.
        WriteError: the system refused a file.
    """
    check_alone("distill")
    execution = choose_execution(device=settings.device, precision=settings.precision, threads=settings.threads)
    if execution.precision in ("int8", "fp16"):
        raise UsageError(f"{execution.precision} is to predict with; distil with --precision auto")
    learning_rate(0, peak=1.0, total_steps=1, warmup_steps=0, schedule=settings.schedule)  # refuses an unknown one
    with locked(settings.out):
        return _Distillation.prepare(settings, execution, resume=resume, teller=teller or Silent()).run()


@dataclass
class _Distillation:
    """What the parts of one run share."""

    settings: DistillSettings
    steps: int
    """Optimizer steps, by the settings and the texts."""
    execution: Execution
    student: Model
    checkpoint: Network
    """The starting model's: the student's own, or what was widened to it."""
    source: Source
    folder: RunFolder
    teller: Teller
    first_map: Dense | None
    """Of the mean, where the starting model brought one into a space of as many dimensions."""

    @classmethod
    def prepare(cls, settings: DistillSettings, execution: Execution, *, resume: bool, teller: Teller) -> _Distillation:
        """Check everything that can be checked before the teacher begins; nothing is written."""
        set_seed(settings.seed)  # of a pooler that the checkpoint may lack
        student = starting_student(settings)
        source, steps = read_source(settings, student.tokenizer, execution)
        start = settings.start
        if source.teacher is None and start in ("teacher", "widen"):
            raise UsageError(
                f"{settings.teacher} holds vectors and cannot embed the student's pieces; pass --start keep"
            )
        if start is None:
            start = "teacher" if settings.config is not None and source.teacher is not None else "keep"
        checkpoint = student.network
        if start == "teacher":
            check_dimensions(settings.teacher, source.dimensions, checkpoint.config)
        if start == "widen":
            extra = extra_dimensions(
                checkpoint.config, source.dimensions, teacher=settings.teacher, wanted=settings.extra_dimensions
            )
            settings = replace(settings, extra_dimensions=extra)
            notes = (*student.notes, *notes_on_rate(settings.learning_rate))
            student = replace(student, network=widened(checkpoint, extra), notes=notes)
        settings = replace(settings, start=start)
        weights = dict(checkpoint.state_dict())
        first_map = None if student.embedding is None or start != "keep" else student.embedding.dense
        if first_map is not None and first_map.out_features != source.dimensions:
            first_map = None
        if first_map is not None:
            weights |= {"map.weight": torch.from_numpy(first_map.weight), "map.bias": torch.from_numpy(first_map.bias)}
        folder = RunFolder.open(
            settings.out,
            settings.to_dict(),
            resume=resume,
            inputs={
                "texts": {"number": len(source.train), "content": source.train.digest()},
                "held-out texts": {"number": len(source.held_out), "content": source.held_out.digest()},
                "teacher": source.digest,
                "weights of the starting model": content_digest(weights),
            },
        )
        return cls(settings, steps, execution, student, checkpoint, source, folder, teller, first_map)

    def run(self) -> DistillReport:
        """Train to the end and write what came out."""
        settings, network, source = self.settings, self.student.network, self.source
        for note in (*self.folder.notes, *self.student.notes, *source.notes):
            self.teller.say(f"note: {note}")
        network.to(self.execution.torch_device)
        set_seed(settings.seed)
        objective = DistillObjective(network, dimensions=source.dimensions, with_pretraining=settings.pretraining)
        objective.to(self.execution.torch_device)
        optimizer = build_optimizer(
            "adamw",
            [objective],
            weight_decay=settings.weight_decay,
            betas=BETAS,
            rate_factors={
                network.encoder.embeddings.word.weight: settings.word_rate,
                **dict.fromkeys(network.encoder.groups.parameters(), settings.layer_rate),
            },
        )
        state = DistillState(objective, optimizer)
        restored = state.restore(self.folder)
        self.folder.begin(settings.to_dict(), step=state.step)
        vectors = source.vectors(source.train, teller=self.teller, what="the teacher's vectors")
        scored = source.vectors(source.held_out, teller=self.teller, what="the teacher's vectors, held-out texts")
        tokenizer = self.student.tokenizer
        batches = batches_of(source.train, vectors, tokenizer, settings)
        of_pieces = partial(source.computed, teller=self.teller, what="the teacher's vectors of single pieces")
        if not restored and settings.start == "teacher":
            begin_with_pieces(network, tokenizer, source.train, vectors=of_pieces)
        if not restored and settings.start == "widen":
            self.checkpoint.to(self.execution.torch_device)
            begin_with_path(network, tokenizer, batches, checkpoint=self.checkpoint, vectors=of_pieces)
            self.checkpoint.cpu()  # a GPU needs it no longer
        if state.step:
            self.teller.say(f"continuing after step {state.step:,} of {self.steps:,}")
        if not restored and settings.model is not None:  # fresh vectors are alike in all directions
            if self.first_map is not None:
                self.teller.say(f"note: the map into the teacher's space begins as that of {settings.model}")
            fit_maps(objective, batches, execution=self.execution, mean=self.first_map)
        # Fresh positions that no text reaches would stay random.
        batches = replace(batches, num_positions=network.config.max_position_embeddings)
        plain = batches_of(source.held_out, scored, tokenizer, settings)
        masked = None
        if settings.pretraining:
            batches = with_masks(
                batches,
                tokenizer,
                mlm_probability=settings.mlm_probability,
                num_positions=batches.num_positions,
            )
            masked = with_masks(plain, tokenizer, mlm_probability=0.15)
        score = partial(held_out_scores, objective, plain=plain, masked=masked, execution=self.execution)
        objective.train()
        self._train(state, batches, score)
        return self._finish(state, score())

    def _train(self, state: DistillState, batches: Any, score: Any) -> None:
        settings = self.settings
        rate = partial(
            learning_rate,
            peak=settings.learning_rate,
            total_steps=self.steps,
            warmup_steps=round(self.steps * settings.warmup),
            schedule=settings.schedule,
        )
        every = max(1, round(self.steps * settings.eval_share))
        saved = time.monotonic()
        with self.teller.bar("distilling", total=self.steps) as advance:
            advance(state.step)
            while state.step < self.steps:
                current_rate = rate(state.step)
                step = train_step(
                    state.objective,
                    state.optimizer,
                    batches.at(state.step),
                    learning_rate=current_rate,
                    clip_norm=settings.clip_norm,
                    relation_weight=settings.relation_weight,
                    pooler_weight=settings.pooler_weight,
                    pretraining_weight=settings.pretraining_weight,
                    execution=self.execution,
                    seed=settings.seed * 1_000_003 + state.step,
                )
                if not step.is_finite:
                    raise RunError(
                        f"{settings.out}: the loss of step {state.step + 1:,} is no finite number; start again with a "
                        f"lower --learning-rate, such as {settings.learning_rate / 3:.1g}, and another --out"
                    )
                state.step += 1
                state.tokens += step.tokens
                state.seconds += step.seconds
                self.folder.log(_step_event(state, step, rate=current_rate))
                advance(1, info=_step_info(step))
                if state.step % every == 0 and state.step < self.steps:
                    self._evaluate(state, score())
                last = state.step == self.steps
                if last or time.monotonic() - saved >= settings.save_seconds:
                    state.save(self.folder)
                    saved = time.monotonic()

    def _evaluate(self, state: DistillState, scores: DistillScores) -> None:
        record = {"step": state.step, "training_tokens": state.tokens, **scores.to_dict()}
        state.evaluations.append(record)
        self.folder.log({"event": "evaluation", **record})
        said = f"cosine {scores.vector_cosine:.4f} (pooler {scores.pooler_vector_cosine:.4f})"
        if scores.mlm_accuracy is not None:
            said += f", masked words {scores.mlm_accuracy:.1f} %, order {scores.sop_accuracy:.1f} %"
        self.teller.say(f"step {state.step:,}, {state.tokens:,} tokens: held-out {said}")
        self._save(state)

    def _save(self, state: DistillState) -> None:
        """Write the student; its vector is the mean, mapped into the teacher's space."""
        embedding = EmbeddingSpec("mean", dense=map_of_the_mean(state.objective))
        save_model(replace(self.student, embedding=embedding), self.folder.path / "model")

    def _finish(self, state: DistillState, scores: DistillScores) -> DistillReport:
        settings, path = self.settings, self.folder.path
        report = DistillReport(
            scores=scores,
            tokens=state.tokens,
            tokens_per_second=round(state.tokens / max(state.seconds, 1e-9), 1),
            steps=state.step,
            seconds=round(state.seconds, 2),
            teacher=settings.teacher,
            teacher_dimensions=self.source.dimensions,
            texts=len(self.source.train),
            held_out_texts=len(self.source.held_out),
            data=list(settings.data),
            model=settings.model or f"{settings.config} (fresh weights)",
            evaluations=state.evaluations,
            notes=(*self.student.notes, *self.source.notes),
            environment=environment(self.execution),
            command=settings.to_dict(),
        )
        self._save(state)
        self.teller.say(f"model: {path / 'model'}")
        panels = panels_of(path)
        assert panels is not None
        plot_pretraining({path.name: read_curves(path, panels)}, panels, path=path / "plots" / "history.png")
        report.write(path)  # last: its presence says that the run is complete
        return report


def _step_event(state: DistillState, step: DistillStep, *, rate: float) -> dict[str, Any]:
    return {
        "event": "step",
        "step": state.step,
        "training_tokens": state.tokens,
        "loss": round(step.loss, 5),
        **{name: round(value, 5) for name, value in step.scores.to_dict().items()},
        "texts": step.texts,
        "tokens": step.tokens,
        "learning_rate": rate,
        "gradient_norm": round(step.gradient_norm, 4),
        "seconds": round(step.seconds, 4),
    }


def _step_info(step: DistillStep) -> str:
    return f"loss {step.loss:.3f}, cosine {step.scores.vector_cosine:.3f}, {step.tokens / step.seconds:,.0f} tokens/s"
