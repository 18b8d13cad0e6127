"""Score predictions: metrics with confidence intervals, calibration, and scikit-learn baselines."""
