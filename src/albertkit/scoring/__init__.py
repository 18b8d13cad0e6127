"""What predictions are worth: metrics with intervals, calibration, and baselines of scikit-learn."""
