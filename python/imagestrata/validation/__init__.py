"""How right a clustering is."""
