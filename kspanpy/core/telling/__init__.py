"""From what is known to spans: names and attributes, how it ended, when it began."""
