"""A trained model as an ONNX or OpenVINO file, with all that a folder needs to predict without torch."""
