"""Numbers as Grafana writes them, roughly."""

import math

TIMES = [(86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs")]
SIZES = [(2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")]
COUNTS = [(1e6, "M"), (1e3, "K"), (1, "")]


def written(value, unit):
    """A number in its unit, with three significant digits."""
    if value is None or not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "-∞"}.get(value, "–")
    if unit == "s":
        return scaled(value, TIMES, "s")
    if unit == "bytes":
        return scaled(value, SIZES, "B")
    if unit == "binBps":
        return scaled(value, SIZES, "B") + "/s"
    if unit == "percentunit":
        return digits(value * 100) + "%"
    if unit == "currencyEUR":
        return "€" + digits(value)
    if unit.startswith("suffix:"):
        return digits(value) + unit.removeprefix("suffix:")
    return scaled(value, COUNTS, "").replace(" ", "") + {"reqps": " req/s"}.get(unit, "")


def scaled(value, steps, base):
    """A number in the largest unit that it has at least one of."""
    size, name = next((step for step in steps if abs(value) >= step[0]), (1, base))
    return f"{digits(value / size)} {name}"


def digits(value):
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{float(f'{value:.3g}'):g}"
