"""Why it took so long, and what went wrong first: read from a finished story, in figures and in one sentence."""
