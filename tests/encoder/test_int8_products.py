"""int8 products stay near the encoder, and a text's output does not depend on its neighbours."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from tests.encoder.test_prepared import batch_of, encode, encoder_of

from albertkit.batching.batch import Batch
from albertkit.encoder.encoder import Encoder
from albertkit.encoder.int8_products import with_int8_products
from albertkit.encoder.prepared import PreparedEncoder
from albertkit.hardware.processor import capabilities

pytestmark = pytest.mark.skipif(not capabilities().any_int8, reason="this processor has no int8 products")


@pytest.fixture(params=["onednn", "fbgemm", "qnnpack"], autouse=True)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whose products are used; each where it is."""
    name = str(request.param)
    found = capabilities()
    if not {"onednn": found.int8, "fbgemm": found.fbgemm, "qnnpack": found.qnnpack}[name]:
        pytest.skip(f"no int8 products of {name}")
    only = dataclasses.replace(found, int8=name == "onednn", fbgemm=name == "fbgemm")
    monkeypatch.setattr("albertkit.encoder.int8_products.capabilities", lambda: only)
    return name


def prepared_of(encoder: Encoder, dtype: torch.dtype) -> PreparedEncoder:
    prepared = PreparedEncoder(encoder, dtype=dtype)
    with_int8_products(prepared, batch_of(*range(5, 40)))
    return prepared


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
@pytest.mark.parametrize("changes", [{}, {"num_hidden_groups": 2}, {"inner_group_num": 2}], ids=["one", "two", "inner"])
def test_near_the_encoder(activation: str, changes: dict[str, int], library: str) -> None:
    encoder = encoder_of(hidden_act=activation, hidden_size=64, intermediate_size=256, **changes)
    batch = batch_of(3, 40, 17, 8, 1, 29)
    wanted = encode(encoder, batch).sequence_output
    with torch.inference_mode():
        found = prepared_of(encoder, torch.float32)(batch).sequence_output
    # 8 bits keep about two digits of each product's inputs. The others' are twice as many products.
    assert float((found - wanted).norm() / wanted.norm()) < (0.06 if library == "onednn" else 0.12)
    assert not torch.equal(found, wanted)


def test_the_weights_of_shared_layers_are_stored_once(library: str) -> None:
    layers = prepared_of(encoder_of(), torch.float32).layers
    parts: list[Any] = [layer.feed_forward for layer in layers]
    assert len({id(part) for part in parts}) == 4
    assert len({id(part.up if library == "onednn" else part.up.weight) for part in parts}) == 1
    assert len({float(part.scale if library == "onednn" else part.up.scale) for part in parts}) > 1


def test_groups_that_take_turns_keep_their_depths() -> None:
    encoder = encoder_of(num_hidden_groups=2, inner_group_num=2, num_hidden_layers=4)
    layers = prepared_of(encoder, torch.float32).layers
    plain = PreparedEncoder(encoder, dtype=torch.float32).layers
    assert [layer.source for layer in layers] == [layer.source for layer in plain]


def test_neighbours_do_not_matter() -> None:
    prepared = prepared_of(encoder_of(), torch.float32)
    batch = batch_of(11, 26, 40)
    with torch.inference_mode():
        together = prepared(batch, first_only=True).pooled_output
        alone = [prepared(Batch.pack([one]), first_only=True).pooled_output for one in batch]
    np.testing.assert_allclose(together.numpy(), torch.cat(alone).numpy(), rtol=0, atol=2e-2)
