"""What can be said of a run from what it has recorded.  Nothing here runs anything, or knows shared memory."""
