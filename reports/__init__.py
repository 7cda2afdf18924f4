"""Everything → pages and figures that people look at."""
