"""albertkit serve: what it refuses before it listens. tests/serving runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.running import ONE_THREAD, Runner

from albertkit.hardware.processor import Capabilities
from albertkit.inference.predictor import Predictor
from albertkit.serving.service import Service


@pytest.fixture(autouse=True)
def _nothing_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(load: Any, listening: Any, **options: Any) -> None:
        listening.close()
        service = Service(load, limits=options["limits"])
        service._capabilities = _capabilities(service, load())
        SERVED.append({"predictor": service._capabilities.predictor, **options})
        options["ready"](service)

    monkeypatch.setattr("albertkit.serving.server.serve", serve)
    monkeypatch.setattr("albertkit.serving.logs.write_logs_to", lambda _: None)
    monkeypatch.delenv("ALBERTKIT_API_KEY", raising=False)
    SERVED.clear()


SERVED: list[dict[str, Any]] = []


def _capabilities(service: Service, predictor: Predictor) -> Any:
    from albertkit.serving.capabilities import Capabilities

    return Capabilities(predictor, limits=service.limits)


def test_it_tells_where_and_what(albertkit: Runner, run_folder: Path) -> None:
    outcome = albertkit("serve", run_folder, "--port", "0", "--json", "--batch-wait", "0", "--queue", "7", *ONE_THREAD)
    assert outcome.status == 0, outcome
    told = outcome.json
    assert told == told | {"host": "127.0.0.1", "model": "keywords", "url": f"http://127.0.0.1:{told['port']}"}
    assert told["can"][:2] == ["classify", "explain"]
    assert (SERVED[0]["limits"].batch_wait, SERVED[0]["limits"].queue) == (0, 7)
    assert "press Ctrl+C to stop" in albertkit("serve", run_folder, "--port", "0", *ONE_THREAD).out


def test_fp32_is_what_a_processor_serves(albertkit: Runner, run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = Capabilities(prepacked=True, bf16=True, int8=True, fbgemm=True, vnni=True, qnnpack=True)
    monkeypatch.setattr("albertkit.hardware.device.capabilities", lambda: every)
    for options, precision in (([], "fp32"), (["--precision", "bf16"], "bf16")):
        albertkit("serve", run_folder, "--port", "0", "--device", "cpu", *options)
        assert SERVED[-1]["predictor"].execution.precision == precision
        assert SERVED[-1]["predictor"].runtime.fixed_weights


def test_hosts_are_checked_where_there_is_no_key(
    albertkit: Runner, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = ("serve", run_folder, "--port", "0", *ONE_THREAD)
    local = ("localhost", "127.0.0.1", "::1")
    for options, hosts in (
        ((), local),
        (("--host", "0.0.0.0"), ()),
        (("--allowed-host", "a.example", "--allowed-host", "b.example"), (*local, "a.example", "b.example")),
    ):
        assert albertkit(*start, *options).status == 0
        assert SERVED[-1]["hosts"] == hosts
    monkeypatch.setenv("ALBERTKIT_API_KEY", "a-key")
    assert albertkit(*start).status == 0
    assert SERVED[-1]["hosts"] == ()


def test_keys_come_from_the_environment_or_a_file(
    albertkit: Runner, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys"
    file.write_text("first\n\n second \n")
    monkeypatch.setenv("ALBERTKIT_API_KEY", "from-outside")
    outcome = albertkit("serve", run_folder, "--port", "0", "--host", "0.0.0.0", "--api-key-file", file, *ONE_THREAD)
    assert SERVED[-1]["keys"] == ["from-outside", "first", "second"]
    assert "warning" not in outcome.err
    file.write_text("\n")
    assert "holds no key" in albertkit("serve", run_folder, "--api-key-file", file).err
    assert "cannot be read" in albertkit("serve", run_folder, "--api-key-file", tmp_path / "no").err
    monkeypatch.setenv("ALBERTKIT_API_KEY", " ")
    refused = albertkit("serve", run_folder)
    assert (refused.status, refused.out) == (2, "")
    assert "ALBERTKIT_API_KEY is empty" in refused.err


def test_an_open_door_is_warned_of(albertkit: Runner, run_folder: Path) -> None:
    for host in ("127.0.0.1", "localhost"):
        assert "warning" not in albertkit("serve", run_folder, "--port", "0", "--host", host, *ONE_THREAD).err
    err = albertkit("serve", run_folder, "--port", "0", "--host", "0.0.0.0", *ONE_THREAD).err
    assert "is reachable from other machines without an API key: set ALBERTKIT_API_KEY" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "70000 is not in the range"),
        (["--queue", "0"], "--queue is 0; it must be above 0"),
        (["--host", "no-such-host.invalid"], "cannot listen on no-such-host.invalid"),
    ],
)
def test_usage_errors(arguments: list[str], words: str, albertkit: Runner, run_folder: Path) -> None:
    outcome = albertkit("serve", run_folder, *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert words in outcome.err


def test_no_model(albertkit: Runner, tmp_path: Path) -> None:
    assert "this folder is not a model" in albertkit("serve", tmp_path, "--port", "0").failure()


@pytest.mark.parametrize("library", ["fastapi", "uvicorn", "prometheus_client"])
def test_without_the_extra(library: str) -> None:
    program = f"import sys; sys.modules[{library!r}] = None; from albertkit.cli import main; main(['serve', 'run'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: albertkit serve needs {library}, which is not installed: pip install 'albertkit[serve]' "
        "(in a checkout: pip install '.[serve]')\n"
    )
