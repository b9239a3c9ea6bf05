"""What clustering, and the steps after it, take as images: embeddings, checked."""

from ..embeddings.inputs import as_embeddings, embeddings_fingerprint

__all__ = ["as_embeddings", "embeddings_fingerprint"]
