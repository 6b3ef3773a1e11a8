"""What is known about kinds and emitters, as data."""
