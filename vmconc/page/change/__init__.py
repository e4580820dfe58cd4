"""The page about a comparison: what `vmconc diff` finds, and charts of before and after, one over the other."""
