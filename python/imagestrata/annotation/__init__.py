"""Everything that people fill in: how it is handed out, and how answers are read."""
