"""From labels on a sample to statements about the corpus."""
