"""Network: the encoder with the heads that a model has, under canonical names."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from albertkit.batch import Batch
from albertkit.config import AlbertConfig
from albertkit.model.encoder import Encoder, EncoderOutput
from albertkit.tasks.pretraining.head import MaskedPieceHead, SentenceOrderHead


class Network(nn.Module):
    """An encoder and its heads; `print` shows the architecture."""

    def __init__(self, encoder: Encoder, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleDict(heads)
        for module in self.heads.modules():
            if isinstance(getattr(module, "weight", None), nn.Parameter):
                module.register_forward_pre_hook(_in_type_of_weight)

    @property
    def config(self) -> AlbertConfig:
        """Shape of the encoder."""
        return self.encoder.config

    def forward(self, batch: Batch, *, with_hidden_states: bool = False) -> EncoderOutput:
        """Encode a packed batch; heads are applied by who needs them."""
        output: EncoderOutput = self.encoder(batch, with_hidden_states=with_hidden_states)
        return output

    @property
    def mlm_head(self) -> MaskedPieceHead:
        """The head of masked pieces; a KeyError where there is none."""
        head = self.heads["mlm"]
        assert isinstance(head, MaskedPieceHead)
        return head

    def masked_piece_logits(self, hidden: Float[Tensor, "masked hidden"]) -> Float[Tensor, "masked vocabulary"]:
        """Return the `mlm` head's logits for hidden states of masked positions `[masked, hidden]`."""
        logits: Tensor = self.mlm_head(hidden, self.encoder.embeddings.word.weight)
        return logits

    def canonical_state(self) -> dict[str, Tensor]:
        """Return every tensor, detached, under its canonical name."""
        return {name.removeprefix("encoder."): tensor.detach() for name, tensor in self.state_dict().items()}

    def load_canonical(self, state: Mapping[str, Tensor]) -> None:
        """Take over tensors by canonical name, cast to the network's type; the names must be exactly its own."""
        own = self.state_dict()
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(state[name.removeprefix("encoder.")])

    def take_canonical(self, state: Mapping[str, Tensor]) -> None:
        """Make the tensors of `state` the network's own, without a copy where they are in its type.

        The network may stand on the meta device. Tensors that are memory-mapped from a file stay so: a page is read
        when it is used and copied when it is written to, and the file never changes.
        """
        own = {
            name: state[name.removeprefix("encoder.")].to(tensor.dtype) for name, tensor in self.state_dict().items()
        }
        self.load_state_dict(own, assign=True)


def _in_type_of_weight(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Give a part of a head its input in the type of its weight: states are fp32, and `half()` changes the weights."""
    weight = module.weight
    assert isinstance(weight, Tensor)
    if torch.is_autocast_enabled(weight.device.type):  # which chooses the type itself
        return inputs
    return tuple(each.to(weight.dtype) for each in inputs)


def pretraining_heads(config: AlbertConfig, names: tuple[str, ...]) -> dict[str, nn.Module]:
    """Return fresh heads for those of `mlm` and `sop` that are named."""
    kinds: dict[str, type[nn.Module]] = {"mlm": MaskedPieceHead, "sop": SentenceOrderHead}
    return {name: kinds[name](config) for name in names if name in kinds}
