"""Every file looked at once: usable, duplicate of another, or why not."""
