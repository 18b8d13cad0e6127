"""The canonical state: whether it fits a configuration, and the projection that some software always has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch

from albertkit.checkpoints.checkpoint import HEADS
from albertkit.checkpoints.shapes import encoder_shapes, head_shapes
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError

_LINES = 20  # of each kind of problem in one error message


def drop_identity_projection(config: AlbertConfig, state: dict[str, torch.Tensor]) -> AlbertConfig:
    """Take a projection out of a state where the widths are equal and it changes nothing.

    transformers and KerasHub always have a projection, Google's code only between different widths. An identity with a
    zero bias is the same network as none.

    Args:
        config: the network.
        state: loses the projection, if that is the identity.

    Returns:
        The configuration, which says whether there is a projection.
    """
    if config.embedding_size != config.hidden_size:
        return config
    names = ("embeddings.projection.weight", "embeddings.projection.bias")
    there = [name for name in names if name in state]
    neutral: tuple[Callable[[int], torch.Tensor], ...] = (torch.eye, torch.zeros)
    if there and not all(
        _equals(state.get(name), make, config.hidden_size) for name, make in zip(names, neutral, strict=True)
    ):
        return replace(config, project_equal_widths=True)
    for name in there:
        del state[name]
    return replace(config, project_equal_widths=False)


def add_identity_projection(config: AlbertConfig, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a state for software that always has a projection; see `drop_identity_projection`."""
    if config.has_projection:
        return dict(state)
    width, dtype = config.hidden_size, state["embeddings.word.weight"].dtype
    return {
        **state,
        "embeddings.projection.weight": torch.eye(width, dtype=dtype),
        "embeddings.projection.bias": torch.zeros(width, dtype=dtype),
    }


def _equals(tensor: torch.Tensor | None, make: Callable[[int], torch.Tensor], width: int) -> bool:
    # Compared before anything is made: a damaged configuration can name any width.
    if tensor is None or not tensor.ndim or any(size != width for size in tensor.shape):
        return False
    neutral = make(width)
    return tensor.shape == neutral.shape and torch.equal(tensor.to(neutral.dtype), neutral)


def is_deep(state: Mapping[str, object], head: str) -> bool:
    """Return whether a task head is more layers than its kind has (then its shapes are its own).

    >>> is_deep({"heads.classifier.hidden.0.weight": 0}, "classifier"), is_deep({"heads.sop.weight": 0}, "sop")
    (True, False)
    """
    own = {name for name in state if name.startswith(f"heads.{head}.")}
    return head not in ("mlm", "answer") and any(name.count(".") > 2 for name in own)


def check_state(
    config: AlbertConfig,
    state: Mapping[str, torch.Tensor],
    *,
    where: str,
    heads: Sequence[str] = (),
    num_labels: int | None = None,
    pooler: bool = True,
    name_in_file: Callable[[str], str | None] = lambda name: name,
) -> None:
    """Compare a canonical state with a configuration and report every problem at once.

    Args:
        config: what the state should fit.
        state: canonical name -> tensor.
        where: what the message calls the source (a path).
        heads: the heads that must be there; others count as unexpected. Of a deep head only the values are checked.
        num_labels: rows of "classifier" and "tags"; left out, the tensor's own number of rows is taken.
        pooler: whether the pooler must be there.
        name_in_file: what the file calls a canonical name, where it is another dialect.

    Raises:
        CheckpointError: missing, unexpected or mis-shaped tensors, or values that are not finite numbers.
    """
    layers = config.num_hidden_groups * config.inner_group_num
    if layers > len(state):  # a broken number, before a list of all names is made from it
        raise CheckpointError(
            f"{where}: the configuration has {config.num_hidden_groups} groups of {config.inner_group_num} layers, the "
            f"weights {len(state)} tensors in all; the configuration belongs to another model or is damaged"
        )
    expected = encoder_shapes(config, pooler=pooler)
    free: set[str] = set()
    for head in heads:
        if head not in HEADS or is_deep(state, head):
            free |= {name for name in state if name.startswith(f"heads.{head}.")}
        else:
            weight = state.get(f"heads.{head}.weight")
            rows = num_labels if num_labels is not None or weight is None or weight.ndim == 0 else len(weight)
            reads_pairs = weight is not None and tuple(weight.shape[1:]) == (4 * config.hidden_size,)
            expected |= head_shapes(config, head, 1 if rows is None else rows, reads_pairs=reads_pairs)

    def shown(name: str) -> str:
        own = name_in_file(name)
        return name if own in (None, name) else f"{name} ({own} in the file)"

    problems: dict[str, list[str]] = {"missing": [], "unexpected": [], "mis-shaped": [], "not numbers": []}
    problems["missing"] = [f"{shown(name)} {list(shape)}" for name, shape in expected.items() if name not in state]
    for name, tensor in state.items():
        shape = tuple(tensor.shape)
        if name not in expected and name not in free:
            problems["unexpected"].append(f"{shown(name)} {list(shape)}")
        elif name in expected and shape != expected[name]:
            problems["mis-shaped"].append(f"{shown(name)} {list(shape)}, expected {list(expected[name])}")
        elif name in expected and not tensor.is_floating_point():
            problems["not numbers"].append(f"{shown(name)} holds {str(tensor.dtype).removeprefix('torch.')} values")
        elif bad := _non_finite(tensor):
            problems["not numbers"].append(f"{shown(name)} holds {bad} of {tensor.numel()} values NaN or infinite")
    if any(problems.values()):
        raise CheckpointError(_report(problems, where=where))


def _non_finite(tensor: torch.Tensor) -> int:
    if not tensor.is_floating_point():
        return 0
    # A finite sum means finite terms and costs no second array; the exact count is only made when that fails.
    if bool(torch.isfinite(tensor.sum(dtype=torch.float32))):
        return 0
    return int(tensor.numel() - torch.isfinite(tensor).sum())


def _report(problems: Mapping[str, Sequence[str]], *, where: str) -> str:
    total = sum(len(rows) for rows in problems.values())
    tensors = "1 tensor does" if total == 1 else f"{total} tensors do"
    lines = [f"{where}: {tensors} not fit the configuration; repair the file or its configuration"]
    for kind, rows in problems.items():
        if rows:
            lines.append(f"  {kind} ({len(rows)}):")
            lines += [f"    {row}" for row in rows[:_LINES]]
            lines += [f"    ... and {len(rows) - _LINES} more"] if len(rows) > _LINES else []
    return "\n".join(lines)
