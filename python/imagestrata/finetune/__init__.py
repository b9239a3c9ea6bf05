"""Fine-tuning: train a network on your own categories, and label images with it."""
