"""Search of hyper-parameters: many fine-tuning runs, of which Optuna chooses the settings."""
