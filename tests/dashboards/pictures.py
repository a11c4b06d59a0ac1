"""One picture for each kind of panel: enough to see shape, unit, legend and thresholds."""

import math
import re
from datetime import datetime

import matplotlib.dates as dates
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter

from units import written

COLORS = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c", "text": "#8e8e8e"}
PALETTE = ["#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0",
           "#508642", "#cca300", "#447ebc", "#c15c17", "#890f02", "#0a437c", "#6d1f62", "#584477"]
INK = "#ccccdc"
LEGEND_LINES = 6


def named(legend, labels):
    """The name of a series: the legend with its labels filled in."""
    return re.sub(r"{{\s*(\w+)\s*}}", lambda label: labels.get(label[1], ""), legend)


def draw(axes, panel, answers, span):
    """Draws a panel's answers, a list of series for each of its targets."""
    pictures = {
        "timeseries": lines,
        "stat": stat,
        "bargauge": bars,
        "table": table,
        "heatmap": heatmap,
        "state-timeline": timeline,
    }
    named_series = [
        (named(target["legendFormat"], labels), points)
        for target, series in zip(panel["targets"], answers)
        for labels, points in series
    ]
    if not named_series:
        nothing(axes, panel)
    elif panel["type"] == "table":
        table(axes, panel, answers)
    else:
        pictures[panel["type"]](axes, panel, named_series)
    if panel["type"] in ("timeseries", "heatmap", "state-timeline") and named_series:
        start, end = (datetime.fromtimestamp(at) for at in span)
        axes.set_xlim(start, end)
        axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
        axes.xaxis.set_major_locator(dates.AutoDateLocator(minticks=3, maxticks=7))


def dots(axes, exemplars):
    """Exemplars: measured one by one, each with a trace; of a quarter minute the largest."""
    largest = {}
    for at, value in exemplars:
        largest[at // 15] = max(largest.get(at // 15, (0, 0)), (value, at))
    seen = [(datetime.fromtimestamp(at), value) for value, at in largest.values()]
    axes.scatter(*zip(*seen) if seen else ([], []), s=7, marker="D", color="#5794f2", alpha=0.8,
                 linewidth=0, zorder=3)


def nothing(axes, panel):
    """Says that there is no data; in red, unless the panel says that this may be so."""
    excuse = panel["fieldConfig"]["defaults"].get("noValue")
    color, size = (COLORS["text"], 9) if excuse else (COLORS["red"], 16)
    axes.text(0.5, 0.5, f"no data\n{excuse or ''}".strip(), color=color, fontsize=size, ha="center",
              va="center", transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])


def unit_of(panel):
    return panel["fieldConfig"]["defaults"]["unit"]


def lines(axes, panel, series):
    custom = panel["fieldConfig"]["defaults"]["custom"]
    stacked = custom["stacking"]["mode"] == "normal"
    bases, top = {}, 0.0
    for place, (name, points) in enumerate(series):
        color, limit = color_of(panel, name, place)
        times = [datetime.fromtimestamp(at) for at, _ in points]
        values = [value for _, value in points]
        if stacked and not limit:
            lower = [bases.get(at, 0.0) for at, _ in points]
            values = [low + value for low, value in zip(lower, values)]
            bases.update({at: value for (at, _), value in zip(points, values)})
            axes.fill_between(times, lower, values, color=color, alpha=0.7, linewidth=0)
        label = f"{name}  {written(points[-1][1], unit_of(panel))}"
        axes.plot(times, values, color=color, label=label, linestyle="--" if limit else "-",
                  linewidth=0 if stacked and not limit else 1.1, marker="s",
                  markersize=3 if stacked and not limit else 0, markevery=[])
        top = max([top, *filter(math.isfinite, values)])
    floor = 0 if axes.dataLim.y0 >= 0 else axes.get_ylim()[0]
    soft_top = 1.1 * (custom.get("axisSoftMax") or 0)
    axes.set_ylim(floor, max(axes.get_ylim()[1] if top > 0 else 0, soft_top) or 1)
    thresholds(axes, panel, top)
    y_axis(axes, panel)
    legend(axes, panel["options"]["legend"]["placement"] == "right")


def color_of(panel, name, place):
    """The color of a series, and whether it is a limit."""
    for override in panel["fieldConfig"]["overrides"]:
        pattern = override["matcher"]["options"]
        if override["matcher"]["id"] == "byRegexp" and re.search(pattern.strip("/"), name):
            color = override["properties"][0]["value"]["fixedColor"]
            return COLORS[color], color == "text"
    return PALETTE[place % len(PALETTE)], False


def thresholds(axes, panel, top):
    """Dashed lines, where they are not far above everything else."""
    defaults = panel["fieldConfig"]["defaults"]
    if defaults["custom"]["thresholdsStyle"]["mode"] == "off":
        return
    low, high = axes.get_ylim()
    for step in defaults["thresholds"]["steps"]:
        if step["value"] is not None and step["value"] <= max(3 * top, high):
            axes.axhline(step["value"], color=COLORS[step["color"]], linewidth=0.9, linestyle=":")
            high = max(high, step["value"] * 1.1)
    axes.set_ylim(low, high)


def y_axis(axes, panel):
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, unit_of(panel))))
    axes.grid(color="#2c2f36", linewidth=0.6)


def legend(axes, beside):
    handles, labels = axes.get_legend_handles_labels()
    most = 16 if beside else LEGEND_LINES
    if len(labels) > most:
        labels = [*labels[: most - 1], f"… and {len(labels) - most + 1} more"]
        handles = handles[:most]
    place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.02), "ncol": 1} if beside else {
        "loc": "upper center", "bbox_to_anchor": (0.5, -0.12), "ncol": 2}
    axes.legend(handles, labels, fontsize=6.5, frameon=False, labelcolor=INK, handlelength=1.2,
                columnspacing=1, labelspacing=0.3, **place)


def level_color(panel, value):
    defaults = panel["fieldConfig"]["defaults"]
    for mapping in defaults["mappings"]:
        if value == value and str(int(value)) in mapping["options"]:
            return COLORS[mapping["options"][str(int(value))]["color"]]
    if defaults["color"]["mode"] != "thresholds":
        return INK
    steps = defaults["thresholds"]["steps"]
    reached = [step for step in steps if step["value"] is None or value >= step["value"]]
    return COLORS[reached[-1]["color"]]


def stat(axes, panel, series):
    _, points = series[0]
    latest = points[-1][1]
    color = level_color(panel, latest)
    if len(points) > 1:
        times, values = zip(*points)
        axes.fill_between(times, values, color=color, alpha=0.15, linewidth=0)
        axes.plot(times, values, color=color, linewidth=0.8, alpha=0.6)
        highest = max((value for value in values if math.isfinite(value)), default=0)
        axes.set_ylim(0, 2.5 * max(highest, 1e-12))
    axes.text(0.5, 0.6, written(latest, unit_of(panel)), color=color, fontsize=20, ha="center",
              va="center", transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])


def bars(axes, panel, series):
    for place, (_, points) in enumerate(series):
        value = points[-1][1]
        color = level_color(panel, value)
        axes.barh(place, value, color=color, height=0.6)
        axes.text(0.02, place, written(value, unit_of(panel)), color=INK, va="center", fontsize=9)
    axes.set_yticks(range(len(series)), [name for name, _ in series])
    axes.set_xlim(left=min(0, axes.get_xlim()[0]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, unit_of(panel))))


def table(axes, panel, answers):
    axes.axis("off")
    units = {
        override["matcher"]["options"]: override["properties"][0]["value"]
        for override in panel["fieldConfig"]["overrides"]
        if override["properties"][0]["id"] == "unit"
    }
    rows, names = {}, []
    for target, series in zip(panel["targets"], answers):
        for labels, points in series:
            key = tuple(sorted((k, v) for k, v in labels.items() if k != "__name__"))
            names = names or [name for name, _ in key]
            rows.setdefault(key, {})[target["legendFormat"]] = points[-1][1]
    headings = [target["legendFormat"] for target in panel["targets"]]
    cells = [
        [value for _, value in key] + [written(row.get(head), units[head]) for head in headings]
        for key, row in sorted(rows.items())
    ]
    drawn = axes.table(cellText=cells[:12], colLabels=names + headings, loc="upper left",
                       cellLoc="left", edges="horizontal")
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(7.5)
    for cell in drawn.get_celld().values():
        cell.get_text().set_color(INK)
        cell.set_edgecolor("#2c2f36")


def heatmap(axes, panel, series):
    bounds = sorted((float(name), points) for name, points in series)
    times = sorted({at for _, points in bounds for at, _ in points})
    below, grid = dict.fromkeys(times, 0.0), []
    for _, points in bounds:
        filled = dict(points)
        row = [max(filled.get(at, below[at]) - below[at], 0.0) for at in times]
        below = {at: filled.get(at, below[at]) for at in times}
        grid.append([value if value > 1e-9 else float("nan") for value in row])
    filled = [value for row in grid for value in row if value == value]
    if not filled:
        return nothing(axes, panel)
    moments = [datetime.fromtimestamp(at) for at in times]
    edges = list(range(len(bounds)))
    axes.pcolormesh(moments, edges, grid, cmap="turbo", shading="nearest",
                    norm=LogNorm(max(min(filled), 1e-3), max(filled) * 1.01))
    used = [place for place, row in enumerate(grid) if any(value == value for value in row)]
    low, high = max(min(used) - 1, 0), min(max(used) + 1, edges[-1])
    axes.set_ylim(low - 0.5, high + 0.5)
    shown = edges[low : high + 1 : max(1, (high - low) // 7)]
    axes.set_yticks(shown, [written(bounds[place][0], "s") for place in shown])


def timeline(axes, panel, series):
    defaults = panel["fieldConfig"]["defaults"]
    meanings = {key: value for mapping in defaults["mappings"] for key, value in mapping["options"].items()}
    for place, (_, points) in enumerate(series):
        for at, value in points:
            start = dates.date2num(datetime.fromtimestamp(at))
            color = level_color(panel, value)
            axes.broken_barh([(start, 5.2 / 86400)], (place - 0.4, 0.8), color=color, linewidth=0)
        last, value = points[-1]
        shown = meanings.get(str(int(value)), {"text": str(value)})["text"]
        axes.text(datetime.fromtimestamp(last), place, shown, color="#111217", fontsize=6.5,
                  va="center", ha="right")
    axes.set_yticks(range(len(series)), [name for name, _ in series])
    axes.set_ylim(len(series) - 0.4, -0.6)
    axes.xaxis_date()
