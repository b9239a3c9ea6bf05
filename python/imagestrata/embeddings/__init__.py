"""Embeddings: one vector per distinct image."""
