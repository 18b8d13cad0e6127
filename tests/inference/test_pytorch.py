"""PyTorch as a runtime: threads and int8 change nothing but the time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.encoder.test_prepared import batch_of, encoder_of

from albertkit.encoder.prepared import can_prepare
from albertkit.errors import UsageError
from albertkit.hardware.device import Execution, choose_execution
from albertkit.hardware.processor import Capabilities, capabilities
from albertkit.inference.pytorch import PyTorchRuntime
from albertkit.tasks.network import Network

has_int8 = capabilities().any_int8


def network() -> Network:
    return Network(encoder_of(hidden_size=64, intermediate_size=256), {})


@pytest.mark.parametrize("output", ["sequence_output", "pooled_output"])
def test_threads_do_not_change_what_comes_out(output: str) -> None:
    batch = batch_of(*range(40, 4, -1), 40, 1)
    one, three = (
        PyTorchRuntime(network(), execution=Execution("cpu", "fp32", threads)).run(batch, outputs=[output])[output]
        for threads in (1, 3)
    )
    np.testing.assert_allclose(one, three, rtol=0, atol=2e-5)


@pytest.mark.skipif(not has_int8, reason="no int8 products")
def test_int8_is_measured_on_a_sample_and_stays_near() -> None:
    batch = batch_of(7, 31, 40)
    plain = PyTorchRuntime(network(), execution=Execution("cpu", "fp32", 1))
    whole = PyTorchRuntime(network(), execution=Execution("cpu", "int8", 1), sample=lambda: batch_of(*range(5, 40)))
    wanted, found = (runtime.run(batch, outputs=["pooled_output"])["pooled_output"] for runtime in (plain, whole))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=0.15)
    assert not np.array_equal(found, wanted)


@pytest.mark.skipif(not capabilities().fbgemm, reason="no products with fp16 weights")
@pytest.mark.parametrize("output", ["sequence_output", "pooled_output"])
def test_fp16_weights_stay_near(output: str) -> None:
    batch = batch_of(7, 31, 40)
    wanted, found = (
        PyTorchRuntime(network(), execution=Execution("cpu", precision, 1)).run(batch, outputs=[output])[output]
        for precision in ("fp32", "fp16")
    )
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-2)
    assert not np.array_equal(found, wanted)


def test_without_the_operators_fp16_runs_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    none = Capabilities(prepacked=False, bf16=False, int8=False, fbgemm=False, vnni=False, qnnpack=False)
    monkeypatch.setattr("albertkit.encoder.prepared.capabilities", lambda: none)
    batch = batch_of(7, 31, 40)
    plain, half = (
        PyTorchRuntime(network(), execution=Execution("cpu", precision, 1)).run(batch, outputs=["pooled_output"])
        for precision in ("fp32", "fp16")
    )
    np.testing.assert_array_equal(plain["pooled_output"], half["pooled_output"])


def test_fixed_weights_are_read_once() -> None:
    if not can_prepare(torch.device("cpu"), torch.float32):
        pytest.skip("nothing is prepared here")
    changed = network()
    runtime = PyTorchRuntime(changed, execution=Execution("cpu", "fp32", 1), fixed_weights=True)
    batch = batch_of(7, 31)
    before = runtime.run(batch, outputs=["pooled_output"])["pooled_output"]
    changed.encoder.pooler.weight.data.zero_()
    np.testing.assert_array_equal(runtime.run(batch, outputs=["pooled_output"])["pooled_output"], before)


def test_int8_without_a_sample_is_refused() -> None:
    with pytest.raises(UsageError, match="int8 works only for prediction"):
        PyTorchRuntime(network(), execution=Execution("cpu", "int8", 1))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_head_set_to_zero_after_a_prediction_counts_in_the_next(precision: str) -> None:
    if precision == "bf16" and not can_prepare(torch.device("cpu"), torch.bfloat16):
        pytest.skip("no bf16 products")
    changed = Network(encoder_of(hidden_size=48, num_attention_heads=12), {})
    runtime = PyTorchRuntime(changed, execution=Execution("cpu", precision, 1))
    batch = batch_of(7, 31, 40)
    before = runtime.run(batch, outputs=["pooled_output"])["pooled_output"]
    changed.encoder.groups[0].inner[0].attention.output.weight.data[:, 8:12] = 0  # type: ignore[index, union-attr]
    found = runtime.run(batch, outputs=["pooled_output"])["pooled_output"]
    fresh = PyTorchRuntime(changed, execution=Execution("cpu", precision, 1))
    wanted = fresh.run(batch, outputs=["pooled_output"])["pooled_output"]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    assert np.abs(found - before).max() > 1e-3


@pytest.mark.skipif(not capabilities().prepacked_bf16, reason="no prepacked bf16 products")
def test_half_weights_run_in_bf16_products() -> None:
    batch, made = batch_of(5, 9), network()
    whole = PyTorchRuntime(made, execution=Execution("cpu", "fp32", 1)).run(batch, outputs=["pooled_output"])
    rough = PyTorchRuntime(made.half(), execution=Execution("cpu", "bf16", 1)).run(batch, outputs=["pooled_output"])
    np.testing.assert_allclose(rough["pooled_output"], whole["pooled_output"], atol=0.1)


def test_half_weights_are_refused_in_bf16_where_nothing_is_prepacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("albertkit.inference.pytorch.can_prepare", lambda *_: False)
    runtime = PyTorchRuntime(network().half(), execution=Execution("cpu", "bf16", 1))
    with pytest.raises(UsageError, match=r"weights in float16 cannot run in bf16 here: call \.float\(\)"):
        runtime.run(batch_of(5, 9), outputs=["pooled_output"])


def test_a_network_on_the_meta_device_is_one_sentence() -> None:
    moved = network()
    runtime = PyTorchRuntime(moved, execution=Execution("cpu", "fp32", 1))
    moved.to("meta")
    words = 'the network is on the device "meta", which keeps shapes and no numbers'
    with pytest.raises(UsageError, match=words):
        runtime.run(batch_of(7, 31), outputs=["pooled_output"])
    with pytest.raises(UsageError, match=words):
        PyTorchRuntime(moved, execution=Execution("cpu", "fp32", 1))
    with pytest.raises(UsageError, match='device "meta" holds no numbers'):
        choose_execution(device="meta")
