"""Starts emulated CPUs as processes, watches them, ends them, and turns what they counted into results."""
