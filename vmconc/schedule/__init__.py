"""Whose turn it is: every CPU a stack of one process, the decision made inside compiled code."""
