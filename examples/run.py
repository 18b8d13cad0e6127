"""Execute the tutorials' notebooks: `python examples/run.py [--data-dir DIR] [--small] [--out FOLDER] [NAME ...]`.

Each notebook runs in a kernel of this very interpreter, in FOLDER, and its executed copy and its pictures are written
there. Without --data-dir the notebooks use the data that comes with albertkit, whatever the environment says.
"""

from __future__ import annotations

import argparse
import base64
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

EXAMPLES = Path(__file__).resolve().parent
PLACES: Mapping[str, tuple[str, ...]] = {
    "imdb_frozen_and_finetuned": ("imdb.tar.xz", "aclImdb_v1.tar.gz", "aclImdb", "imdb"),
    "qnli_pair_classification": ("glue_and_polarity.tar.xz", "QNLIv2.zip", "QNLI", "glue", "glue_data", "GLUE"),
    # The folder first: its unlabelled reviews are the text to read.
    "pretraining_on_your_own_text": ("aclImdb", "imdb", "imdb.tar.xz", "aclImdb_v1.tar.gz"),
}
"""Notebook -> where its data may be in DIR: archives as their publishers name them, or folders."""


class ExampleError(Exception):
    """A notebook that cannot run; one sentence for the user."""


class OwnKernels(KernelSpecManager):
    """Knows one kernel, whatever its name: this interpreter, whichever kernels are installed under the name."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:  # noqa: ARG002 - the overridden signature
        """Return the command that starts the kernel."""
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, language="python", display_name="Python 3")


@contextmanager
def own_kernel() -> Iterator[AsyncKernelManager]:
    """Give the manager of a kernel that talks through socket files, so that nothing listens on the network."""
    with tempfile.TemporaryDirectory() as folder:
        files = {} if os.name == "nt" else {"transport": "ipc", "ip": str(Path(folder, "kernel"))}
        yield AsyncKernelManager(kernel_spec_manager=OwnKernels(), **files)


def main() -> int:
    """Run the command line and return the exit status: 0, 1 after a failure, 2 after a usage error."""
    parser = argparse.ArgumentParser(description="Execute the tutorials' notebooks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all when left out: {', '.join(PLACES)}")
    parser.add_argument("--data-dir", type=Path, help="a folder with the archives or folders of IMDB and GLUE")
    parser.add_argument("--out", type=Path, default=Path("runs/tutorials"), help="where results go (%(default)s)")
    parser.add_argument("--small", action="store_true", help="few examples and epochs: seconds instead of hours")
    parser.add_argument("--limit", type=int, help="examples of each split, documents of a text to read")
    parser.add_argument("--update", action="store_true", help="also store the executed copies as the notebooks")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in PLACES]
    if unknown:
        parser.error(f"no notebook is called {', '.join(unknown)}; there are {', '.join(PLACES)}")
    if options.update and options.data_dir is not None:
        parser.error("--update would store texts of --data-dir in the notebooks; leave one of the two out")
    try:
        for name in options.names or PLACES:
            data = None if options.data_dir is None else find_data(name, data_dir=options.data_dir)
            started = time.perf_counter()
            written = execute(name, out=options.out, data=data, small=options.small, limit=options.limit)
            print(f"{name}: {time.perf_counter() - started:.0f} s; {', '.join(map(str, written))}", flush=True)
            if options.update:
                shutil.copyfile(written[0], EXAMPLES / f"{name}.ipynb")
    except ExampleError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def find_data(name: str, *, data_dir: Path) -> Path:
    """Return the notebook's data within a folder.

    Args:
        name: the notebook.
        data_dir: the folder that holds one of the notebook's `PLACES`.

    Raises:
        ExampleError: none of them is there.
    """
    for place in PLACES[name]:
        if (data_dir / place).exists():
            return (data_dir / place).resolve()
    raise ExampleError(
        f"{name}: none of {', '.join(PLACES[name])} is in {data_dir}; put the data there under one of these names, "
        "or leave --data-dir out to use what comes with albertkit"
    )


def execute(
    name: str, *, out: Path, data: Path | None = None, small: bool = False, limit: int | None = None
) -> list[Path]:
    """Execute a notebook, write the executed copy and each picture in it into a folder.

    Args:
        name: the notebook, without its ending.
        out: the folder, in which the notebook also runs, so that paths in its outputs are relative.
        data: folder or archive of the data; what comes with albertkit when left out.
        small: few examples and epochs.
        limit: examples of each split, documents of a text to read.

    Returns:
        The executed copy, then the pictures.

    Raises:
        ExampleError: a cell failed; the copy up to it is written all the same.
    """
    out.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)
    given = {"DATA": data, "SMALL": "1" if small else None, "LIMIT": limit}
    kept = {key: value for key, value in os.environ.items() if key != "ALBERTKIT_TUTORIAL_DATA"}
    environment = kept | {f"ALBERTKIT_TUTORIAL_{key}": str(value) for key, value in given.items() if value is not None}
    copy = out / f"{name}.ipynb"
    try:
        with own_kernel() as manager:
            client = NotebookClient(
                notebook,
                km=manager,
                timeout=None,
                record_timing=False,
                coalesce_streams=True,
                resources={"metadata": {"path": str(out)}},
            )
            client.execute(env=environment, cleanup_kc=True)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise ExampleError(f"{name}: a cell failed, see {copy}: {str(error).strip().splitlines()[-1]}") from error
    finally:
        # The version of the interpreter that happened to run would change the committed copy for nothing.
        notebook.metadata.language_info = {"name": "python"}
        nbformat.write(notebook, copy)
    return [copy, *write_pictures(notebook, name=name, out=out)]


def write_pictures(notebook: nbformat.NotebookNode, *, name: str, out: Path) -> Iterator[Path]:
    """Write every PNG among a notebook's outputs as NAME_1.png, NAME_2.png, ... and give their paths."""
    number = 0
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                number += 1
                path = out / f"{name}_{number}.png"
                path.write_bytes(base64.b64decode(output["data"]["image/png"]))
                yield path


if __name__ == "__main__":
    raise SystemExit(main())
