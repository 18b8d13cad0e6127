"""Fine-tuning on few labels: cross-validation chooses between frozen features and contrastive pairs."""
