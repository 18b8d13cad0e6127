"""HeadSpec: the shape of a task's head, and what it reads. Without torch."""

from __future__ import annotations

from dataclasses import dataclass

from albertkit.checkpoints.dense import Dense
from albertkit.config import HEAD_POOLINGS
from albertkit.errors import UsageError
from albertkit.tasks.pooling import check_pooling

MOST_BLOCKS, WIDEST = 64, 2**20
"""Bounds of a head: a damaged file must not ask for more memory than there is."""


@dataclass(frozen=True)
class HeadSpec:
    """Shape of a classification head, and what it reads.

    Raises:
        UsageError: an unknown pooling, or widths that no head has.
    """

    hidden: tuple[int, ...] = ()
    """Widths of the blocks before the last linear map; none is a linear head."""
    norm: str = "none"
    """`batch` or `none`."""
    pooling: str = "pooler"
    """What it reads of each sequence: `pooler`, `cls`, `mean` or `pair`, as `albertkit.tasks.pooling` says."""

    dense: Dense | None = None
    """A fixed map of what it reads, for heads that compare vectors: the model stores it once, with the head."""

    def __post_init__(self) -> None:
        check_pooling(self.pooling, HEAD_POOLINGS)
        if len(self.hidden) > MOST_BLOCKS:
            raise UsageError(f"a head cannot have {len(self.hidden)} hidden blocks; at most {MOST_BLOCKS} work")
        for width in self.hidden:
            if type(width) is not int or not 1 <= width <= WIDEST:
                raise UsageError(
                    f"a head has the hidden width {width!r:.40}; every width must be 1 or more (at most {WIDEST})"
                )

    def width(self, hidden_size: int) -> int:
        """Return how many numbers the head reads of each sequence.

        >>> HeadSpec().width(256), HeadSpec(pooling="pair").width(256)
        (256, 1024)
        """
        return 4 * hidden_size if self.pooling == "pair" else hidden_size

    def require_linear(self, kind: str) -> None:
        """Refuse hidden blocks and norms, which only classifiers have.

        Args:
            kind: what the head is, for the message.

        Raises:
            UsageError: they were asked for.
        """
        if self.hidden or self.norm != "none":
            raise UsageError(f"{kind}; leave --head-hidden and --head-norm out")


LINEAR = HeadSpec()
"""One linear map of the pooler's output, as published models have."""
