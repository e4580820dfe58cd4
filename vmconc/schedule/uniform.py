"""Uniform: each CPU that can go on is equally likely, at each decision."""

from vmconc.memory.jit import kernel
from vmconc.schedule.chance import draw


@kernel
def choose_uniform(engine):
    """Choose a ready CPU."""
    return engine.ready[draw(engine, engine.ready_count)]
