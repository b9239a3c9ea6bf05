"""One vector per distinct image."""
