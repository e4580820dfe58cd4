"""The page about a recorded or timed run: sections of charts and tables, filled with what `analysis` finds."""
