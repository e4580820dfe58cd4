"""Numbers in words."""


def figure(value: float) -> str:
    """Write a number with three digits, or all that stand before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def lasting(nanoseconds: float) -> str:
    """Write a time in the unit that suits it."""
    for unit, name in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if nanoseconds >= unit:
            return f"{figure(nanoseconds / unit)} {name}"
    return f"{figure(nanoseconds)} ns"
