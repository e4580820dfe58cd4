"""A recorded run in the formats of other tools.  Nothing here finds out anything: it writes what the analysis found."""
