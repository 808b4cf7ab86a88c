"""The panels of the dashboard as a picture, drawn from Prometheus' answers. Not part of CI: it puts
matplotlib into .tools/picture."""

import json
import os
import re
import subprocess
import sys
from operation.chain import ROOT

PLACE = ROOT / ".tools/picture"
STEP_S = 5
COLUMNS = 24
# Inches: the whole width, and a row of Grafana's grid.
WIDTH, ROW = 14, 0.3
# Grafana's units as axis labels, and what values are divided by.
UNITS = {"s": ("s", 1), "bytes": ("MB", 1e6), "cps": ("1/s", 1), "none": ("", 1)}
LEGEND_MOST = 9


def matplotlib():
    """The drawing library, installed where the project's other tools are."""
    if not (PLACE / "matplotlib").exists():
        words = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(PLACE)]
        subprocess.run([*words, "matplotlib==3.9.4"], check=True)
    sys.path.insert(0, str(PLACE))
    os.environ["MPLBACKEND"] = "Agg"
    from matplotlib import pyplot
    return pyplot


def legend(template, labels):
    """A series' name by its legend: {{label}} is replaced, the one node's name left out."""
    for key, value in labels.items():
        template = template.replace("{{%s}}" % key, "" if key == "node" else value)
    template = re.sub(r"{{\w+}}", "", template)
    return " ".join(template.split()) or labels.get("node", "")


def series(prometheus, panel, fill_in, window):
    """Names and points of all lines of a panel."""
    lines = []
    for target in panel["targets"]:
        found = prometheus.ask(
            "query_range", query=fill_in(target["expr"]),
            start=window[0], end=window[1], step=STEP_S)
        for one in found["result"]:
            points = [(float(at) - window[0], float(value)) for at, value in one["values"]]
            name = legend(target["legendFormat"], one["metric"])
            lines.append((name, [point for point in points if point[1] == point[1]]))
    return lines


def draw_stat(axes, panel, lines):
    """The last value, in words where the panel has words for it."""
    axes.axis("off")
    defaults = panel["fieldConfig"]["defaults"]
    value = lines[0][1][-1][1] if lines and lines[0][1] else None
    text, colour = ("no data" if value is None else f"{value:,.0f}"), "black"
    for mapping in defaults.get("mappings", []):
        found = mapping["options"].get(f"{value:.0f}" if value is not None else "")
        if found:
            text, colour = found["text"], found["color"]
    for step in defaults.get("thresholds", {}).get("steps", []):
        if value is not None and (step["value"] is None or value >= step["value"]):
            colour = step["color"]
    unit = UNITS[defaults["unit"]][0]
    axes.text(0.5, 0.4, f"{text} {unit}".strip(), ha="center", va="center", fontsize=17,
              color=colour)
    axes.set_title(panel["title"], fontsize=9)


def draw_series(axes, panel, lines):
    unit, divisor = UNITS[panel["fieldConfig"]["defaults"]["unit"]]
    # The largest lines get the legend: there may be more than fit.
    lines.sort(key=lambda line: -max((point[1] for point in line[1]), default=0))
    for number, (name, points) in enumerate(lines):
        label = name if number < LEGEND_MOST else "_"
        axes.plot([at / 60 for at, _ in points], [value / divisor for _, value in points],
                  linewidth=0.9, label=label)
    axes.set_title(panel["title"], fontsize=9)
    axes.set_ylabel(unit, fontsize=7)
    axes.tick_params(labelsize=6)
    axes.grid(linewidth=0.3)
    if panel["fieldConfig"]["defaults"].get("min") == 0:
        most = max((value for _, points in lines for _, value in points), default=0)
        axes.set_ylim(bottom=0, top=None if most > 0 else 1)
    if lines:
        axes.legend(fontsize=5, loc="best", framealpha=0.6)


def draw(prometheus, dashboard, fill_in, window, path):
    """Draws all panels at their places in Grafana's grid; minutes of the window to the right."""
    pyplot = matplotlib()
    panels = json.loads(dashboard.read_text())["panels"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    height = rows * ROW
    figure = pyplot.figure(figsize=(WIDTH, height), dpi=80)
    for panel in panels:
        at = panel["gridPos"]
        # A panel's place in inches, less the room for its title and the numbers at its sides.
        left, top = at["x"] * WIDTH / COLUMNS + 0.5, height - at["y"] * ROW - 0.25
        wide, high = at["w"] * WIDTH / COLUMNS - 0.6, at["h"] * ROW - 0.55
        place = (left / WIDTH, (top - high) / height, wide / WIDTH, high / height)
        axes = figure.add_axes(place)
        lines = series(prometheus, panel, fill_in, window)
        (draw_stat if panel["type"] == "stat" else draw_series)(axes, panel, lines)
    figure.savefig(path)
    print(f"{path}: {path.stat().st_size // 1000} kB, "
          f"{(window[1] - window[0]) / 60:.0f} minutes of {len(panels)} panels")
