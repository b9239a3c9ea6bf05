"""Encoders turn pictures into vectors; each has a name."""
