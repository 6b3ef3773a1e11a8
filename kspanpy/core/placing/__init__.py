"""How facts find their place: the history of objects, occurrences, what they wait for."""
