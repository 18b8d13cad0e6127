"""Graph: ONNX nodes under readable names, and every weight stored once, however many nodes read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.errors import MissingExtraError

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    raise MissingExtraError("onnx", extra="onnx", purpose="an export") from error

FloatArray = npt.NDArray[np.float32]
OPSET = 20
"""The first with Gelu; LayerNormalization came with 17. ONNX Runtime reads it from 1.17, OpenVINO from 2024.0."""
IR_VERSION = 9
"""The one that goes with the opset; the onnx library would write its own newest, which older runtimes refuse."""
_FFN = r"groups\.\d+\.layers\.\d+\.ffn\."
INT8 = re.compile(rf"embeddings\.word\.weight|{_FFN}")
"""Names of the matrices that are rounded to int8. Attention, projection and positions hold few of the bytes and are not
rounded: on AG News (albert-nano fine-tuned, 1,500 texts) rounding all matrices moved the probabilities by 0.006,
rounding only these by 0.0013."""
_HALF_LIMIT = 65504.0  # the largest number of fp16
_DTYPES = {"int64": TensorProto.INT64, "float32": TensorProto.FLOAT}


class Graph:
    """Nodes in the order in which they run.

    Args:
        weights: canonical name -> array; only those that are read are stored.
        stored: how matrices are stored: `fp32`; `fp16`; `int8`, which rounds those of `INT8` with one scale per row and
            stores the others as fp16; or `int12`, which rounds only the word embeddings, to 12 bits. The graph casts a
            matrix to fp32 before the node that reads it.
        scope: for a loop's body, the graph around it, which holds constants and weights.
    """

    def __init__(self, weights: Mapping[str, FloatArray], *, stored: str = "fp32", scope: Graph | None = None) -> None:
        self._weights = dict(weights)
        self._as = stored
        self._outer = scope or self
        self.nodes: list[Any] = []
        self._stored: dict[str, Any] = {}
        self._names: set[str] = set() if scope is None else scope._names

    def node(self, kind: str, *inputs: str, name: str, **attributes: Any) -> str:
        """Add a node with one output and return the output's name, which is the node's.

        Args:
            kind: the operator.
            inputs: names of values; "" for one that is left out.
            name: name of the node; a number is appended if it is taken.
            attributes: attributes of the operator.
        """
        return self.several(kind, *inputs, names=(name,), **attributes)[0]

    def several(self, kind: str, *inputs: str, names: tuple[str, ...], **attributes: Any) -> list[str]:
        """Add a node with several outputs and return their names."""
        outputs = [self._free(name) for name in names]
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, name=outputs[0], **attributes))
        return outputs

    def constant(self, name: str, value: Any, dtype: str = "float32") -> str:
        """Store a small array that is no weight, once by name, and return the name."""
        return self._outer._store(name, np.asarray(value, dtype))

    def weight(self, name: str) -> str:
        """Store a weight, once, and return the name under which nodes read it."""
        outer = self._outer
        array = self._weights[name]
        if self._as == "fp32" or array.ndim < 2:
            return outer._store(name, np.ascontiguousarray(array, np.float32))
        if name in outer._stored:
            return f"{name}.fp32"
        if self._as == "int8" and INT8.match(name):
            rows, scale = in_int8(array)
            inputs = [outer._store(name, rows), outer._store(f"{name}.scale", scale)]
            outer.nodes.append(helper.make_node("DequantizeLinear", inputs, [f"{name}.fp32"], f"{name}.fp32", axis=0))
        else:
            rounded = np.clip(array, -_HALF_LIMIT, _HALF_LIMIT).astype(np.float16)
            outer._store(name, np.ascontiguousarray(rounded))
            outer.nodes.append(helper.make_node("Cast", [name], [f"{name}.fp32"], f"{name}.fp32", to=TensorProto.FLOAT))
        return f"{name}.fp32"

    def picked(self, name: str, numbers: str, *, out: str) -> str:
        """Add the rows of a weight that are picked by number; of whole numbers only these rows become fp32.

        Numbers of 12 bits are two arrays: the upper 8 bits, and the lower 4, of which those of the first half of the
        columns are the upper half of a byte and those of the second half the lower one.
        """
        if self._as == "int12" and self._weights[name].shape[1] % 2 == 0:
            return self._picked_in_12(name, numbers, out=out)
        if self._as != "int8" or not INT8.match(name):
            return self.node("Gather", self.weight(name), numbers, name=out)
        rows, scale = in_int8(self._weights[name])
        stored, scales = self._outer._store(name, rows), self._outer._store(f"{name}.scale", scale[:, None])
        whole = self.node("Cast", self.node("Gather", stored, numbers, name=out), name=out, to=TensorProto.FLOAT)
        return self.node("Mul", whole, self.node("Gather", scales, numbers, name=f"{out}.scale"), name=out)

    def _picked_in_12(self, name: str, numbers: str, *, out: str) -> str:
        high, low, scale = in_int12(self._weights[name])
        rows = {
            part: self.node("Gather", self._outer._store(f"{name}.{part}", array), numbers, name=f"{out}.{part}")
            for part, array in (("high", high), ("low", low), ("scale", scale[:, None]))
        }
        bytes_, sixteen = (
            self.node("Cast", rows["low"], name=f"{out}.low", to=TensorProto.FLOAT),
            self.constant("sixteen", 16.0),
        )
        upper = self.node("Floor", self.node("Div", bytes_, sixteen, name=f"{out}.low"), name=f"{out}.upper")
        moved = self.node("Mul", upper, sixteen, name=f"{out}.upper")
        lower = self.node("Sub", bytes_, moved, name=f"{out}.lower")
        ends = self.node("Concat", upper, lower, name=f"{out}.ends", axis=-1)
        starts = self.node("Cast", rows["high"], name=f"{out}.high", to=TensorProto.FLOAT)
        whole = self.node("Add", self.node("Mul", starts, sixteen, name=f"{out}.high"), ends, name=f"{out}.whole")
        return self.node("Mul", whole, rows["scale"], name=out)

    def has(self, name: str) -> bool:
        """Return whether there is such a weight."""
        return name in self._weights

    def array(self, name: str) -> FloatArray:
        """Return a weight itself."""
        return self._weights[name]

    def rows_of(self, name: str) -> int:
        """Return how many rows a weight has: the outputs of a linear map."""
        return len(self._weights[name])

    def add(self, name: str, array: FloatArray) -> None:
        """Make a part of a weight a weight of its own."""
        self._weights[name] = array

    def linear(self, value: str, name: str, *, bias: bool = True) -> str:
        """Add `value @ weight.T + bias` of `[rows, in]`; the weights are `name.weight` `[out, in]` and `name.bias`."""
        inputs = [value, self.weight(f"{name}.weight"), *([self.weight(f"{name}.bias")] if bias else [])]
        return self.node("Gemm", *inputs, name=f"{name}.out", transB=1)

    def norm(self, value: str, name: str, *, epsilon: float) -> str:
        """Add a layer normalization over the last axis."""
        weight, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", value, weight, bias, name=f"{name}.out", axis=-1, epsilon=epsilon)

    @property
    def size(self) -> int:
        """Bytes of all that is stored."""
        return sum(len(tensor.raw_data) for tensor in self._stored.values())

    def shape(self, name: str, *parts: str | int) -> str:
        """Add a shape of numbers and of one-element values."""
        pieces = [self.constant(f"number.{part}", [part], "int64") if isinstance(part, int) else part for part in parts]
        return self.node("Concat", *pieces, name=name, axis=0)

    def body(self) -> Graph:
        """Return an empty graph for a loop in this one."""
        return Graph(self._weights, stored=self._as, scope=self._outer)

    def model(self, inputs: Mapping[str, list[Any]], outputs: Mapping[str, list[Any]], *, about: str) -> Any:
        """Return the whole as a ModelProto.

        Args:
            inputs: name -> shape, whole numbers.
            outputs: name -> shape, fp32.
            about: what the file says of itself.
        """
        graph = helper.make_graph(
            self.nodes,
            "albert",
            [helper.make_tensor_value_info(name, _DTYPES["int64"], shape) for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, _DTYPES["float32"], shape) for name, shape in outputs.items()],
            initializer=list(self._stored.values()),
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="albertkit")
        made.ir_version = IR_VERSION
        made.doc_string = about
        return made

    def _store(self, name: str, array: npt.NDArray[Any]) -> str:
        if name not in self._stored:
            self._stored[name] = numpy_helper.from_array(array, name)
        return name

    def _free(self, name: str) -> str:
        number, found = 1, name
        while found in self._names:
            number, found = number + 1, f"{name}.{number}"
        self._names.add(found)
        return found


def in_int8(matrix: FloatArray) -> tuple[npt.NDArray[np.int8], FloatArray]:
    """Return a matrix as whole numbers from -127 to 127, and what each row is to be multiplied by."""
    scale = np.abs(matrix).max(axis=1).astype(np.float32) / 127
    scale[scale == 0] = 1
    return np.ascontiguousarray(np.rint(matrix / scale[:, None]).astype(np.int8)), scale


def in_int12(matrix: FloatArray) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.uint8], FloatArray]:
    """Return a matrix as whole numbers from -2047 to 2047 in two parts, and what each row is to be multiplied by.

    Args:
        matrix: `[rows, columns]`, of an even number of columns.

    Returns:
        The upper 8 bits `[rows, columns]`; the lower 4 `[rows, columns / 2]`, in pairs, see `Graph.picked`; the scales.
    """
    scale = np.abs(matrix).max(axis=1).astype(np.float32) / 2047
    scale[scale == 0] = 1
    numbers = np.rint(matrix / scale[:, None]).astype(np.int16)
    first, second = np.split((numbers & 15).astype(np.uint8), 2, axis=1)
    return (numbers >> 4).astype(np.int8), first << 4 | second, scale


def check(model: Any) -> None:
    """Hold a model to the ONNX standard; a breach is a fault of ours."""
    onnx.checker.check_model(model, full_check=True)
