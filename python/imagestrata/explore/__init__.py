"""Typical images, keywords, pages and figures of the results of any step."""
