"""The page about a recorded run: sections of charts and tables, filled with what `analysis` finds."""
