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


def often(count: int) -> str:
    """Write how often."""
    return "once" if count == 1 else f"{count:,} times"


def quantity(value: float, unit: str) -> str:
    """Write a figure of runs with its unit: ns, /s, or nothing, a count."""
    if unit == "ns":
        return lasting(value)
    return f"{value:,.0f}" if not unit and value.is_integer() else f"{figure(value)}{unit}"


def percent(value: float | None) -> str:
    """Write by how much something changed."""
    return "-" if value is None else f"{value:+,.1f} %"
