"""Teach a network the researcher's own categories, and let it label images."""
