"""Words for images: descriptions and tags by models, and vectors of texts."""
