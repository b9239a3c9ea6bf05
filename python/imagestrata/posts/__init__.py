"""Posts: who showed which image, when."""
