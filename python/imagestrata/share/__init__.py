"""Hand a study on without its pictures."""
