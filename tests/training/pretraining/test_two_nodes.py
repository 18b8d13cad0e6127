"""Two machines train as one: two network namespaces with host names of their own, joined by a pair of interfaces."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests import tiny_corpus

from albertkit.models.pretrained import load_model
from albertkit.training.pretraining.pretrain import pretrain

pytestmark = pytest.mark.slow

PORT = 29511
STEPS = 20


class Node(NamedTuple):
    """A machine of its own, as far as the network goes."""

    host: str
    address: str

    @property
    def namespace(self) -> str:
        return f"albertkit-{self.host}"

    @property
    def interface(self) -> str:
        return f"ak-{self.host}"


NODES = (Node("node-a", "10.213.7.1"), Node("node-b", "10.213.7.2"))


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[Node, ...]]:
    """Two namespaces that see each other and nothing else."""
    if os.geteuid() or not shutil.which("ip") or not shutil.which("unshare"):
        pytest.skip("network namespaces need root, and the commands ip and unshare")
    try:
        for node in NODES:
            _ip("netns", "add", node.namespace)
        _ip("link", "add", NODES[0].interface, "type", "veth", "peer", "name", NODES[1].interface)
        for node in NODES:
            _ip("link", "set", node.interface, "netns", node.namespace)
            _ip("-n", node.namespace, "address", "add", f"{node.address}/24", "dev", node.interface)
            _ip("-n", node.namespace, "link", "set", node.interface, "up")
            _ip("-n", node.namespace, "link", "set", "lo", "up")
        yield NODES
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this system makes no network namespaces: {error.stderr.strip()}")
    finally:
        for node in NODES:
            subprocess.run(["ip", "netns", "del", node.namespace], check=False, capture_output=True)


def _start(node: Node, data: Path, out: Path, *options: str, restarts: int = 0) -> subprocess.Popen[str]:
    """Start torchrun on one node; the first node is where they meet."""
    hosts = out.parent / "hosts"
    hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{other.address} {other.host}\n" for other in NODES))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": node.interface}
    environment.pop("WORLD_SIZE", None)
    command = [
        "ip", "netns", "exec", node.namespace,
        "unshare", "--uts", "--mount", "sh", "-c",
        f'mount --bind {hosts} /etc/hosts && hostname {node.host} && exec "$@"', "sh",
        sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1",
        "--rdzv-backend", "c10d", "--rdzv-endpoint", f"{NODES[0].address}:{PORT}", "--rdzv-id", "test",
        "--local-addr", node.address, "--max-restarts", str(restarts),
        "-m", "albertkit", "pretrain", "--data", str(data), "--out", str(out), "--learning-rate", "1e-3",
        "--held-out", "0.1", "--eval-share", "0.25", "--device", "cpu", "--precision", "fp32", "--threads", "1",
        "--json", *options,
    ]  # fmt: skip
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _outcomes(*runs: subprocess.Popen[str]) -> list[tuple[int, str, str]]:
    try:
        return [(run.returncode, out, err) for run in runs for out, err in (run.communicate(timeout=600),)]
    finally:
        for run in runs:
            run.kill()


def _losses(run: Path) -> dict[int, tuple[float, float]]:
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [event for event in events if event["event"] == "step"]
    assert [event["step"] for event in steps] == list(range(1, len(steps) + 1))
    return {event["step"]: (event["mlm_loss"], event["sop_loss"]) for event in steps}


def _same(one: Path, two: Path, *, steps: int) -> None:
    ours, theirs = _losses(one), _losses(two)
    assert len(ours) == len(theirs) == steps
    for step, losses in ours.items():
        assert losses == pytest.approx(theirs[step], abs=1e-4), step
    first, second = (load_model(run).network.canonical_state() for run in (one, two))
    assert max(float((first[name] - second[name]).abs().max()) for name in first) < 1e-4


def _tiny(out: Path, **changes: Any) -> None:
    pretrain(tiny_corpus.settings(out, accumulate=2, learning_rate=1e-3, **changes))


def test_two_nodes_equal_one_with_accumulation(nodes: tuple[Node, ...], tmp_path: Path) -> None:
    """Nano's shape; each node has a copy of the shards, and only the first has the run directory."""
    alone = tmp_path / "alone"
    pretrain(
        tiny_corpus.settings(
            alone, config="albert-nano", init="random", accumulate=2, steps=STEPS, learning_rate=1e-3, batch_tokens=512
        )
    )
    copy = shutil.copytree(tiny_corpus.tiny_shards(), tmp_path / "copy")
    options = ("--config", "albert-nano", "--init", "random", "--steps", str(STEPS), "--batch-tokens", "512")
    folders = [(tiny_corpus.tiny_shards(), tmp_path / "a"), (copy, tmp_path / "b")]
    runs = [_start(node, data, out, *options) for node, (data, out) in zip(nodes, folders, strict=True)]
    outcomes = _outcomes(*runs)
    assert [code for code, *_ in outcomes] == [0, 0], outcomes
    written = [out.exists() for _, out in folders]
    assert sorted(written) == [False, True]  # only the first process writes
    reports = [out for _, out, _ in outcomes if out.strip()]
    assert len(reports) == 1  # and speaks
    assert json.loads(reports[0])["environment"]["processes"] == 2
    _same(alone, folders[written.index(True)][1], steps=STEPS)


def test_a_process_that_dies_comes_back(nodes: tuple[Node, ...], tmp_path: Path) -> None:
    alone, out = tmp_path / "alone", tmp_path / "out"
    _tiny(alone, steps=150)
    options = ("--config", str(tiny_corpus.tiny_config()), "--steps", "150", "--batch-tokens", "256", "--resume",
               "--save-seconds", "0")  # fmt: skip
    runs = [
        _start(node, tiny_corpus.tiny_shards(), out if node is nodes[0] else tmp_path / "b", *options, restarts=3)
        for node in nodes
    ]
    deadline = time.monotonic() + 90
    while not (out / "metrics.jsonl").is_file() or len((out / "metrics.jsonl").read_text().splitlines()) < 10:
        assert time.monotonic() < deadline
        assert all(run.poll() is None for run in runs)
        time.sleep(0.02)
    (worker,) = subprocess.run(
        ["pgrep", "-P", str(runs[1].pid)], check=True, capture_output=True, text=True
    ).stdout.split()
    os.kill(int(worker), signal.SIGKILL)
    outcomes = _outcomes(*runs)
    assert [code for code, *_ in outcomes] == [0, 0], outcomes
    assert any("continuing after step" in err for *_, err in outcomes)
    _same(alone, out, steps=150)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ((), "the shards differ between process 0 on node-a and process 1 on node-b"),
        (("--batch-tokens", "512"), "batch-tokens is 256 for process 0 on node-a and 512 for process 1 on node-b"),
        (("--data", "nowhere"), "process 1 on node-b cannot take part: nowhere"),
    ],
)
def test_nodes_that_differ_say_so(
    nodes: tuple[Node, ...], tmp_path: Path, changes: tuple[str, ...], message: str
) -> None:
    from albertkit.data.corpus.prepare import prepare
    from albertkit.text.tokenizer import Tokenizer

    data = tiny_corpus.tiny_shards()
    if not changes:
        data = tmp_path / "other"
        text = tiny_corpus.write_documents(tmp_path / "text.txt", seed=6)
        prepare([text], out=data, tokenizer=Tokenizer.official(), max_length=32, processes=1)
    options = ("--config", str(tiny_corpus.tiny_config()), "--steps", "3", "--batch-tokens", "256")
    runs = [
        _start(nodes[0], tiny_corpus.tiny_shards(), tmp_path / "out", *options),
        _start(nodes[1], data, tmp_path / "out", *options, *changes),
    ]
    outcomes = _outcomes(*runs)
    assert all(code for code, *_ in outcomes)
    assert message in " ".join(outcomes[0][2].split()), outcomes[0][2]
    assert not (tmp_path / "out").exists()
