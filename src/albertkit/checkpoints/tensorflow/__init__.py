"""TensorFlow: tensor bundles, Google's TF1 checkpoints, and the modules and SavedModels of TF Hub."""
