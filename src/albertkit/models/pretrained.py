"""Load a network and its tokenizer from a name or path, and save them to a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from albertkit.checkpoints.checkpoint import Checkpoint
from albertkit.checkpoints.huggingface import HUGGINGFACE
from albertkit.checkpoints.huggingface_config import LABELLED_HEADS, num_outputs
from albertkit.checkpoints.label_names import agreed_labels
from albertkit.checkpoints.sentence_transformers import remove_declaration
from albertkit.config import AlbertConfig, published_config
from albertkit.encoder.encoder import Encoder, initialize
from albertkit.errors import CheckpointError, UsageError
from albertkit.io.files import atomic_folder, write_text
from albertkit.models.card import CARD, CardFacts, card_text
from albertkit.models.loaded import (
    Model,
    TaskFile,
    announce,
    head_on,
    read_task_values,
    task_values,
)
from albertkit.models.model_files import read_model
from albertkit.models.tokenizers import tokenizer_of
from albertkit.tasks import TASKS
from albertkit.tasks.classification.exits import EXITS, build_exits
from albertkit.tasks.classification.head import ClassificationObjective
from albertkit.tasks.head_spec import HeadSpec
from albertkit.tasks.network import Network, pretraining_heads
from albertkit.tasks.objective import objective_of
from albertkit.tasks.task import Task
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.tokenizer import Tokenizer


class _WithoutNumbers(TorchFunctionMode):
    """Modules made here draw no random numbers.

    On the meta device `nn.init` imports torch's compiler: `albertkit fill albert-nano` takes 2.9 s of processor time
    with it and 1.7 s without (torch 2.13, one core, median of 3).
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return named["tensor"] if "tensor" in named else args[0]
        return func(*args, **named)


def load_model(name: str | os.PathLike[str], *, device: torch.device | str = "cpu") -> Model:
    """Load a network with every head that its files hold, in evaluation mode.

    Args:
        name: a known name, a path in any known format, an archive of one, or a run directory.
        device: device of the weights.

    Raises:
        UsageError: an unknown name, or a known one whose weights are not here.
        CheckpointError: the files are not a model, or do not fit their configuration.
    """
    found = read_model(name)
    tokenizer, said = tokenizer_of(found)
    model = model_of(found, tokenizer, source=str(name), notes=said)
    model.network.to(device)
    return model


def model_of(found: Checkpoint, tokenizer: AnyTokenizer, *, source: str, notes: Sequence[str] = ()) -> Model:
    """Build the network of a checkpoint, with every head that it holds, in evaluation mode on the CPU.

    Args:
        found: the checkpoint.
        tokenizer: its tokenizer.
        source: name or path that it was read from.
        notes: what is to be said of it besides the checkpoint's own notes.

    Raises:
        CheckpointError: the tensors do not fit the configuration or the task.
    """
    told = [*found.notes, *notes]
    said_of_task = _task_of(found)
    task, spec = said_of_task.task, said_of_task.head
    if task is not None and task.head not in found.heads:
        raise CheckpointError(
            f"{found.source}: task.json names the task {task.name}, but no file holds heads.{task.head}; "
            "restore head.safetensors, or remove task.json to use only the encoder"
        )
    with torch.device("meta"), _WithoutNumbers():  # no memory either: every tensor comes from the files
        heads: dict[str, nn.Module] = pretraining_heads(found.config, found.heads)
        if task is not None:
            outputs, objective = task.num_outputs(said_of_task.labels), objective_of(task)
            heads[task.head] = objective.build(found.config, outputs, spec)
            if EXITS in found.heads and isinstance(objective, ClassificationObjective):
                _check_exits(found)
                heads[EXITS] = build_exits(objective, found.config, outputs, spec)
        network = Network(Encoder(found.config), heads)
    other = [head for head in found.heads if head not in heads]
    if other:
        told.append(f"{found.source}: the head {', '.join(other)} is ignored: albertkit has no task for it")
    state = {key: value for key, value in found.state.items() if not any(key.startswith(f"heads.{h}.") for h in other)}
    if not found.has_pooler:
        told.append(f"{found.source}: holds no pooler; a new, untrained one is used")
        state |= _fresh_pooler(found.config)
    _check_head(network, state, where=f"{found.source}: {'the configuration' if found.task is None else 'task.json'}")
    network.take_canonical(state)
    return Model(
        network.eval(),
        tokenizer,
        task,
        said_of_task.labels,
        spec,
        said_of_task.max_length,
        source,
        tuple(told),
        said_of_task.embedding,
    )


def fresh_model(config: AlbertConfig | str, *, seed: int = 0, heads: Sequence[str] = ()) -> Model:
    """Return a network with random weights and the official tokenizer, to pretrain from scratch.

    Args:
        config: the network's configuration, or a known model's name.
        seed: the seed of the weights.
        heads: the heads to add: `mlm`, `sop`, or both.

    Raises:
        UsageError: an unknown name, or a vocabulary of another size than the official one.
    """
    config = published_config(config) if isinstance(config, str) else config
    tokenizer = Tokenizer.official()
    if config.vocab_size != tokenizer.vocab_size:
        raise UsageError(
            f"the configuration has {config.vocab_size} pieces, the official vocabulary {tokenizer.vocab_size}"
        )
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    network = Network(Encoder(config), pretraining_heads(config, tuple(heads)))
    torch.random.set_rng_state(state)
    return Model(network, tokenizer, source=f"random weights, seed {seed}")


def _fresh_pooler(config: AlbertConfig) -> dict[str, torch.Tensor]:
    pooler = nn.Linear(config.hidden_size, config.hidden_size)
    initialize(pooler, standard_deviation=config.initializer_range)
    return {f"pooler.{part}": getattr(pooler, part).detach() for part in ("weight", "bias")}


def _task_of(checkpoint: Checkpoint) -> TaskFile:
    """Return what task.json says, and where it is absent or names no task, what the heads and their labels say."""
    positions = checkpoint.config.max_position_embeddings
    said = read_task_values(checkpoint.task or {}, positions=positions, where=checkpoint.source, dense=checkpoint.dense)
    task = said.task or _task_of_heads(checkpoint)
    labels = agreed_labels(said.labels, checkpoint.labels, where=checkpoint.source)
    if task is not None and not labels and task.problem_type != "regression":
        labels = _numbered_labels(checkpoint, head=task.head)
    return replace(said, task=task, labels=labels)


def _task_of_heads(checkpoint: Checkpoint) -> Task | None:
    if "classifier" not in checkpoint.heads:
        heads = [head for head in checkpoint.heads if head not in ("mlm", "sop")]  # those of a pretraining
        of_head: dict[str, Task] = {}
        for name in TASKS if heads else ():
            if TASKS[name].problem_type is None:
                of_head.setdefault(TASKS[name].head, TASKS[name])
        tasks = [of_head[head] for head in heads if head in of_head]
        return tasks[0] if len(tasks) == 1 else None
    by_type: dict[str | None, Task] = {
        TASKS[name].problem_type: TASKS[name] for name in ("classification", "regression", "multilabel")
    }
    return by_type[checkpoint.problem_type or "single_label_classification"]


def _numbered_labels(checkpoint: Checkpoint, *, head: str) -> tuple[str, ...]:
    """Return LABEL_0, LABEL_1, .. as transformers does, for formats that have no place for names of labels."""
    outputs = num_outputs(checkpoint.state, head) if head in LABELLED_HEADS else None
    return tuple(f"LABEL_{index}" for index in range(outputs or 0))


def _check_exits(checkpoint: Checkpoint) -> None:
    own = {name.split(".")[2] for name in checkpoint.state if name.startswith(f"heads.{EXITS}.")}
    if len(own) != checkpoint.config.num_hidden_layers - 1:  # before so many heads are built
        raise CheckpointError(
            f"{checkpoint.source}: holds exits of {len(own)} layers, and a network of "
            f"{checkpoint.config.num_hidden_layers} layers has one fewer than layers; the files are not from the "
            "same model"
        )


def _check_head(network: Network, state: Mapping[str, torch.Tensor], *, where: str) -> None:
    own = network.canonical_state()
    wrong = [name for name in own.keys() | state.keys() if name not in own or name not in state]
    wrong += [name for name in own.keys() & state.keys() if own[name].shape != state[name].shape]
    if wrong:
        raise CheckpointError(f"{where} and the tensors disagree on {', '.join(sorted(wrong)[:8])}")


def load_encoder(
    name: str | os.PathLike[str], *, trainable: bool = True, pooled_only: bool = False, device: str = "cpu"
) -> Encoder:
    """Load only the encoder, a `torch.nn.Module`.

    Args:
        name: a known name, a model folder, or a run directory.
        trainable: whether its parameters get gradients.
        pooled_only: return `pooled_output` as a plain tensor, so that the encoder fits into an `nn.Sequential`.
        device: device of the weights.

    Raises:
        UsageError, CheckpointError: as `load_model`.
    """
    model = load_model(name, device=device)
    announce(model.notes)
    encoder = model.network.encoder
    encoder.pooled_only = pooled_only
    encoder.requires_grad_(trainable)
    return encoder.train(trainable)


def with_task_head(
    model: Model, *, task: str, labels: Sequence[str], head: HeadSpec | None = None, seed: int = 0
) -> Model:
    """Return the model with a fresh head for `task`; encoder and pooler are the same objects, other heads are dropped.

    The new model's notes say that the head is untrained. A head that compares the vectors which the model declares
    keeps the declared map.

    Raises:
        UsageError: an unknown task, or an unsupported head.
    """
    chosen: Task = TASKS[task]
    spec = head_on(head or HeadSpec(), task=chosen, embedding=model.embedding)
    embedding = model.embedding if spec.dense is not None else None
    config = model.config
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    fresh = objective_of(chosen).build(config, chosen.num_outputs(labels), spec)
    torch.random.set_rng_state(state)
    network = Network(model.network.encoder, {chosen.head: fresh.to(model.network.encoder.pooler.weight.device)})
    facts = [f"{len(labels)} labels"] * bool(labels)
    facts += [f"hidden layers {'-'.join(map(str, spec.hidden))}"] * bool(spec.hidden)
    size = f" ({', '.join(facts)})" if facts else ""
    note = f"Adding a new, untrained {task.replace('_', ' ')} layer{size}."
    notes = (*model.notes, note)
    return Model(
        network, model.tokenizer, chosen, tuple(labels), spec, model.max_length, model.source, notes, embedding
    )


def with_exits(model: Model, *, seed: int = 0) -> Model:
    """Return a classifier with fresh heads after every layer but the last; its other parts are the same objects.

    Args:
        model: a classification, regression or multilabel model.
        seed: random seed of the heads.

    Raises:
        UsageError: another task, or a network of one layer.
    """
    objective = None if model.task is None else objective_of(model.task)
    if model.task is None or not isinstance(objective, ClassificationObjective):
        raise UsageError(
            f"early exits work for classification, regression and multilabel; {model.source} is none of these"
        )
    network = model.network
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    outputs = model.task.num_outputs(model.labels)
    exits = build_exits(objective, network.config, outputs, model.head)
    torch.random.set_rng_state(state)
    exits.to(network.encoder.pooler.weight.device)
    return replace(model, network_or_export=Network(network.encoder, {**network.heads, EXITS: exits}))


def save_model(
    model: Model,
    folder: str | os.PathLike[str],
    *,
    facts: Mapping[str, Any] | None = None,
    card: CardFacts | None = None,
    dtype: torch.dtype = torch.float32,
    modules: bool = True,
) -> None:
    """Write the model as a Hugging Face directory, whole or not at all.

    Args:
        model: what to save.
        folder: the folder to write; an older model there is replaced.
        facts: further entries of `task.json` (data set, date).
        card: what the training says in the model card, README.md.
        dtype: type of the network's weights on disk; fp16 halves the file and is read back as fp32.
        modules: whether a model that embeds gets the files by which sentence-transformers computes its vectors;
            `task.json` says it in any case. Without them a Dense map is not saved.

    Raises:
        UsageError: the network is on the meta device.
        WriteError: the system refused; an older folder stays as it was.
    """
    model.network.require_numbers()
    state = {name: tensor.to("cpu", dtype).contiguous() for name, tensor in model.network.canonical_state().items()}
    values = task_values(model)
    task = None if values is None else {**values, **(facts or {})}
    checkpoint = Checkpoint(
        config=model.config,
        state=state,
        source_format="albertkit",
        source=str(folder),
        labels=model.labels,
        problem_type=getattr(model.task, "problem_type", None),
        task=task,
        dense=None if model.embedding is None else model.embedding.dense,
    )
    with atomic_folder(folder) as temporary:
        HUGGINGFACE.write(checkpoint, temporary)
        if not modules:
            remove_declaration(temporary)
        model.tokenizer.save(temporary)
        write_text(temporary / CARD, card_text(model, Path(folder), card))
