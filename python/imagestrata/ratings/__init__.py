"""Means of ratings and gaps between groups, which the R package is tested against."""
