"""Numbers → decisions: what is grouped, what is held out, how classes are balanced."""
