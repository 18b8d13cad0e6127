"""ONNX graphs: nodes and weights, without knowledge of a model."""
