"""Judges of a run that read its shared state and never run anything."""
