"""Turn a picture into a vector, by name."""
