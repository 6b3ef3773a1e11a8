"""Who changed an object, and what."""
