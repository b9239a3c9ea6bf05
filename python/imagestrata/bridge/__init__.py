"""The interface to R: one call for every verb, and a codec for tables and matrices."""
