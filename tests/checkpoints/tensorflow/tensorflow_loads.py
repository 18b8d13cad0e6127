"""A program of its own, for an interpreter that has TensorFlow: what it makes of our files, and files of its own.

python tensorflow_loads.py load PREFIX    prints {name: {shape, dtype, sha256 of the values' bytes}} as JSON
python tensorflow_loads.py save PREFIX    saves a partitioned variable, a string and numbers of several types
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any


def load(tf: Any, prefix: str) -> dict[str, Any]:
    reader = tf.train.load_checkpoint(prefix)
    found = {}
    for name, shape in reader.get_variable_to_shape_map().items():
        value = reader.get_tensor(name)
        assert list(value.shape) == list(shape), (name, value.shape, shape)
        found[name] = {
            "shape": list(shape),
            "dtype": value.dtype.name,
            "sha256": hashlib.sha256(value.tobytes()).hexdigest(),
        }
    return found


def save(tf: Any, prefix: str) -> dict[str, Any]:
    import numpy as np

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        v1.disable_resource_variables()
        numbers = np.arange(700 * 3, dtype=np.float32).reshape(700, 3)

        def part(shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
            start = partition_info.var_offset[0]
            return tf.constant(numbers[start : start + shape[0]], dtype)

        v1.get_variable("whole", shape=[700, 3], initializer=part, partitioner=v1.fixed_size_partitioner(4))
        v1.get_variable("a_text", initializer=np.array(b"odd", dtype=object), dtype=tf.string)
        v1.get_variable("scalar", initializer=np.int64(-7))
        for dtype in (tf.bfloat16, tf.float16, tf.float64, tf.bool, tf.uint8):
            value = tf.cast(np.arange(6).reshape(2, 3) % 5, dtype)
            v1.get_variable(f"typed/{dtype.name}", initializer=value)
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, prefix, write_meta_graph=False)
    return {"saved": prefix}


if __name__ == "__main__":
    import tensorflow

    print(json.dumps({"load": load, "save": save}[sys.argv[1]](tensorflow, sys.argv[2])))
