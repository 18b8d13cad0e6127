"""Network: the encoder with the heads that a model has, under canonical names."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from albertkit.batching.batch import Batch
from albertkit.config import AlbertConfig
from albertkit.encoder.encoder import Encoder, EncoderOutput
from albertkit.errors import UsageError
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

    def forward(self, batch: Batch, *, with_hidden_states: bool = False, first_only: bool = False) -> EncoderOutput:
        """Encode a packed batch, see `Encoder.forward`; the caller applies the heads."""
        output: EncoderOutput = self.encoder(batch, with_hidden_states=with_hidden_states, first_only=first_only)
        return output

    def in_evaluation_mode(self, *, copied: bool = False) -> Network:
        """Return the network, or where a part of it is in training mode a copy of its modules in evaluation mode.

        The copy shares every weight and buffer. Switching the network itself to evaluation mode and back would give
        other threads that predict with it dropout in between.

        Args:
            copied: copy the modules in any case, for hooks that other threads must not run.

        Raises:
            UsageError: the network is on the meta device.
        """
        if self.encoder.embeddings.word.weight.is_meta:  # moved there as a whole; looking at all weights takes 40 us
            self.require_numbers()
        if copied or _in_training_mode(self):
            return _in_evaluation_mode(self)
        return self

    def require_numbers(self) -> None:
        """Refuse a network on torch's meta device, whose tensors have shapes and no numbers.

        Raises:
            UsageError: a parameter is there.
        """
        if any(parameter.is_meta for parameter in self.parameters()):
            raise UsageError(
                'the network is on the device "meta", which keeps shapes and no numbers; load the model again'
            )

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

    def take_canonical(self, state: Mapping[str, Tensor]) -> None:
        """Make the tensors of `state` the network's own, without a copy where they are in its type.

        The network may be on the meta device. Tensors that are memory-mapped from a file stay so: a page is read
        when it is used and copied when it is written to, and the file never changes.
        """
        own = {
            name: state[name.removeprefix("encoder.")].to(tensor.dtype) for name, tensor in self.state_dict().items()
        }
        self.load_state_dict(own, assign=True)


Kind = TypeVar("Kind", bound=nn.Module)


def _in_evaluation_mode(module: Kind) -> Kind:
    found = copy.copy(module)  # the dictionaries of weights and buffers are the same objects
    found.__dict__["_modules"] = {
        name: None if part is None else _in_evaluation_mode(part) for name, part in module._modules.items()
    }
    found.__dict__.pop("_compiled_call_impl", None)  # it is bound to the module itself
    found._forward_hooks = found._forward_hooks.copy()
    found.training = False
    return found


def _in_training_mode(module: nn.Module) -> bool:
    """Return whether the module or a part of it is; several times as fast as a loop over `modules()`."""
    return module.training or any(_in_training_mode(part) for part in module._modules.values() if part is not None)


def _in_type_of_weight(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Cast a module's input to the type of its weight: states are fp32, and `half()` changes the weights."""
    weight = module.weight
    assert isinstance(weight, Tensor)
    if torch.is_autocast_enabled(weight.device.type):  # which chooses the type itself
        return inputs
    return tuple(each.to(weight.dtype) for each in inputs)


def pretraining_heads(config: AlbertConfig, names: tuple[str, ...]) -> dict[str, nn.Module]:
    """Return fresh heads for those of `mlm` and `sop` that are named."""
    kinds: dict[str, type[nn.Module]] = {"mlm": MaskedPieceHead, "sop": SentenceOrderHead}
    return {name: kinds[name](config) for name in names if name in kinds}
