#!/usr/bin/env python3
"""Makes the report of a run: report.py FOLDER, where results.tsv, machine and notes lie.

results.tsv has one line a figure: measure, case, unit, subject, value. Printed is a table, and what
it comes to; written are results.json, a plot for each measure as SVG (by gnuplot, where there is
one), and index.html, which holds all of it and needs no other file.

For each subject of a case: minimum, median, median absolute deviation (MAD), number of figures. The
ratio is to Coir, round by round (the subjects took turns), then the median of those; a "~" before it
says that it differs from 1 by less than its own MAD: nothing to conclude from. Of one round or two
there is no deviation to speak of: a "-" for it, and a "?" before the ratio."""
import base64
import html
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

BASE = "coir"
FLOORS = ("floor", "epoll")  # the least code that does the same; a measure has one of them
BY_HAND = FLOORS + ("level",)  # no library, no language: the limit, not somebody to be ahead of
BARE = ("boost", "ucontext")  # bring a switch only; their tasks are the floor's
MORE_IS_BETTER = ("1/s",)
ROUNDS_ENOUGH = 3  # to tell noise from a difference
LINEAR_MOST = 10  # a plot whose values lie further apart than so many times has a logarithmic axis
CURVES = ("yield", "growth")  # whose cases are numbers of tasks: plotted over them
NO_PLOTS = "no plots: needs gnuplot"

# Of each measure, for a plot: its title, and what its figures are for one of.
TITLES = {
    "switch": ("A bare switch, one way", "a switch"),
    "yield": ("A yield", "a yield"),
    "spawn": ("A task started, run and waited for", "a task"),
    "handle": ("A task joined by its handle", "a task"),
    "deadline": ("A scope opened and closed, without and with a deadline", "a scope"),
    "channel": ("A message through a channel", "a message"),
    "select": ("An item received by a select", "an item"),
    "mutex": ("A section entered and left", "a section"),
    "gather": ("A call in a gather", "a call"),
    "cancel": ("A task cut out of its sleep", "a task"),
    "sleep": ("Many asleep for different times: CPU time", "a task"),
    "park": ("A parked task", "a task"),
    "growth": ("Growth", "an operation"),
    "echo": ("Echo over TCP", "a request"),
    "http": ("HTTP, kept alive", "a request"),
}
UNITS = {"1/s": "requests a second", "us": "µs", "per request": "system calls a request"}


def read(path):
    """{measure: {(case, unit): {subject: [value, ...]}}}, in the order of the run."""
    measures = {}
    for line in path.read_text().splitlines():
        measure, case, unit, subject, value = line.split("\t")
        case_of = measures.setdefault(measure, {}).setdefault((case, unit), {})
        case_of.setdefault(subject, []).append(float(value))
    return measures


def deviation(values):
    middle = statistics.median(values)
    return statistics.median(abs(value - middle) for value in values)


def ratio_to(base, values):
    """The ratio to the base and its MAD; None where there is nothing to divide by."""
    ratios = [value / other for value, other in zip(values, base) if other != 0]
    if not ratios:
        return None
    return statistics.median(ratios), deviation(ratios)


def summarise(measures):
    rows = []
    for measure, cases in measures.items():
        for (case, unit), subjects in cases.items():
            base = subjects.get(BASE, [])
            for subject, values in sorted(subjects.items(), key=lambda it: it[0] != BASE):
                ratio = None if subject == BASE else ratio_to(base, values)
                rows.append({
                    "measure": measure, "case": case, "unit": unit, "subject": subject,
                    "min": min(values), "median": statistics.median(values),
                    "mad": deviation(values), "rounds": len(values), "values": values,
                    "ratio": ratio[0] if ratio else None,
                    "ratio_mad": ratio[1] if ratio else None,
                    "ratio_rounds": min(len(values), len(base)),
                })
    return rows


# ---- The table ----

def number(value):
    if value >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}" if value >= 100 else f"{value:.{2 if value >= 10 else 3}f}"


def ratio_text(row):
    if row["ratio"] is None:
        return ""
    doubtful = abs(row["ratio"] - 1) <= row["ratio_mad"]
    mark = "?" if row["ratio_rounds"] < ROUNDS_ENOUGH else "~" if doubtful else ""
    return f"{mark}{row['ratio']:.3f}"


def deviation_text(row):
    return number(row["mad"]) if row["rounds"] >= ROUNDS_ENOUGH else "-"


def table(rows):
    lines, measure, case = [], None, None
    for row in rows:
        if row["measure"] != measure:
            measure = row["measure"]
            lines.append("")
            lines.append(f"{measure.upper():<18} {'min':>10} {'median':>10} {'MAD':>9} {'n':>4} "
                         f"{'/ ' + BASE:>10}")
        if (measure, row["case"], row["unit"]) != case:
            case = (measure, row["case"], row["unit"])
            lines.append(f"  {row['case']}, {row['unit']}")
        lines.append(f"    {row['subject']:<14} {number(row['min']):>10} "
                     f"{number(row['median']):>10} {deviation_text(row):>9} {row['rounds']:>4} "
                     f"{ratio_text(row):>10}")
    return "\n".join(lines)


# ---- What it comes to ----

def is_detail(row):
    """Which system calls they are: in the table only."""
    return row["unit"] == "per request" and not row["case"].endswith("system calls")


def by_case(rows):
    """{(measure, case, unit): {subject: row}}, in the order of the run."""
    cases = {}
    for row in rows:
        cases.setdefault((row["measure"], row["case"], row["unit"]), {})[row["subject"]] = row
    return cases


def standing(rows):
    """Coir against the floor, and against the best of all the others, for each case."""
    lines = ["", f"{'COIR':<34} {'median':>10} {'/ floor':>9}   best of the others, / coir"]
    for (measure, case, unit), subjects in by_case(rows).items():
        coir = subjects.get(BASE)
        if coir is None or measure == "growth" or not coir["median"] or is_detail(coir):
            continue
        floor = next((subjects[name] for name in FLOORS if name in subjects), None)
        left_out = (BASE,) + BY_HAND + (BARE if measure != "switch" else ())
        others = [row for name, row in subjects.items() if name not in left_out]
        best = (max if unit in MORE_IS_BETTER else min)(
            others, key=lambda row: row["median"], default=None)
        over = f"{coir['median'] / floor['median']:.2f}" if floor and floor["median"] else "-"
        best_text = f"{best['subject']} {ratio_text(best)}" if best else ""
        lines.append(f"{measure + ' ' + case + ', ' + unit:<34} {number(coir['median']):>10} "
                     f"{over:>9}   {best_text}".rstrip())
    return lines


def medians(rows, subject, what):
    """[(tasks, median), ...] of a figure of the measure of growth."""
    points = []
    for row in rows:
        if row["measure"] == "growth" and row["subject"] == subject:
            tasks, name = row["case"].split(" ", 1)
            if name == what:
                points.append((int(tasks), row["median"]))
    return sorted(points)


def slope(points):
    """Least squares of the total over the number of tasks, from so much for each of them."""
    totals = [(tasks, tasks * each) for tasks, each in points]
    middle = statistics.fmean(tasks for tasks, _ in totals)
    level = statistics.fmean(total for _, total in totals)
    return (sum((tasks - middle) * (total - level) for tasks, total in totals) /
            sum((tasks - middle) ** 2 for tasks, _ in totals))


def growth(rows):
    """How each operation grows with the number of tasks, the floor's growth beside it."""
    lines = []
    for what in ("switch", "yield", "wake", "spawn", "timer"):
        points = medians(rows, BASE, what)
        if len(points) < 2:
            continue
        line = (f"  {what:<7} {number(points[0][1]):>6} ns with {points[0][0]} tasks, "
                f"{number(points[-1][1]):>6} with {points[-1][0]}")
        floor = medians(rows, "floor", what)
        if len(floor) > 1 and floor[-1][0] == points[-1][0]:
            line += (f": {points[-1][1] - points[0][1]:+.1f}; the floor's "
                     f"{floor[-1][1] - floor[0][1]:+.1f} are misses of caches and TLB alone")
        lines.append(line)
    for subject in (BASE, "floor"):
        resident, tables = (medians(rows, subject, what) for what in ("resident", "page tables"))
        if len(resident) > 1 and len(tables) > 1:
            lines.append(f"  memory  {slope(resident):.0f} bytes a task resident + "
                         f"{slope(tables):.0f} of page tables ({subject}; slope over "
                         f"{resident[0][0]} to {resident[-1][0]} tasks)")
    return ["", "GROWTH"] + lines if lines else []


def noise(rows):
    """Says how far the figures can be trusted."""
    spreads = [row["mad"] / row["median"] for row in rows
               if row["rounds"] >= ROUNDS_ENOUGH and row["median"]]
    ratios = [row for row in rows
              if row["ratio"] is not None and row["ratio_rounds"] >= ROUNDS_ENOUGH]
    if not spreads or not ratios:
        return ["", "noise: not known, too few rounds"]
    doubtful = sum(ratio_text(row).startswith("~") for row in ratios)
    spread = statistics.median(spreads)
    lines = ["", f"noise: half of the figures deviate by more than {100 * spread:.1f} % (MAD); "
             f"of {len(ratios)} ratios {doubtful} are within the noise (~)"]
    if spread > 0.05 or doubtful > len(ratios) / 10:
        lines.append("WARNING: the noise is larger than some differences: is something else "
                     "running? More rounds (ROUNDS=15) or a quiet machine would help.")
    return lines


# ---- Plots ----

START = """set terminal svg size {width},{height} font 'sans-serif,12' background rgb 'white'
set encoding utf8
set title "{{/:Bold=15 {title}}}\\n{{/=9 {where}}}" textcolor rgb '#333333'
set grid {grid} linecolor rgb '#cccccc'
set border linecolor rgb '#888888'
set tics textcolor rgb 'black'
"""

BARS = START + """{scale}
set style fill solid 0.85 noborder
set yrange [-1:{top}]
set ytics ({tics}) scale 0
set tmargin 5
set lmargin 26
set rmargin 4
set key off
set xrange [{least}:{most}]
set xlabel "{unit}{axis}; median, and its deviation (MAD) where there are rounds enough"
plot '-' using 1:2:({least}):1:($2-0.4):($2+0.4):3 with boxxyerror linecolor rgb variable, \\
     '-' using 1:2:3:4 with xerrorbars pointtype 0 linewidth 1.2 linecolor rgb '#111111', \\
     '-' using 1:2:3 with labels left offset 0.7,0 font ',10'
{bars}
e
{noise}
e
{labels}
e
"""

CURVE = START + """set logscale xy
set xrange [{least}:{most}]
set format x '%.0f'
set tmargin 5
set xlabel "tasks"
set ylabel "{unit}"
set key outside right top spacing 1.2
plot {plots}
{data}
"""

COIR_COLOUR, FLOOR_COLOUR, OTHER_COLOUR = 0xc0392b, 0x7f8c8d, 0x5b9bd5
COLOURS = ("#1f77b4", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22", "#ff7f0e",
           "#393b79", "#637939", "#843c39")


def quoted(text):
    """For gnuplot's enhanced text between double quotes."""
    return re.sub(r"([_^@&~{}])", r"\\\\\1", text)


def colour_of(subject):
    return {BASE: COIR_COLOUR}.get(subject, FLOOR_COLOUR if subject in BY_HAND else OTHER_COLOUR)


def label_of(row):
    """A subject's name below a case: bold for Coir, and the floor is called that."""
    name = quoted(row["subject"])
    if row["subject"] == BASE:
        return f"{{/:Bold {name}}}"
    if row["subject"] in FLOORS and name != "floor":
        return f"{name}, the floor"
    return f"{name}, by hand" if row["subject"] in BY_HAND and name != "floor" else name


def bars(title, where, unit, rows):
    """A bar a subject below the name of its case, the best on top."""
    lines, noise, labels, tics, at = [], [], [], [], 0
    cases = {}
    for row in rows:
        cases.setdefault(row["case"], []).append(row)
    sign = 1 if unit in MORE_IS_BETTER else -1
    for case, of_case in reversed(cases.items()):
        for row in sorted(of_case, key=lambda it: sign * it["median"]):
            value = max(row["median"], 1e-3)
            mad = row["mad"] if row["rounds"] >= ROUNDS_ENOUGH else 0
            lines.append((value, at, colour_of(row["subject"])))
            if mad:
                noise.append((value, at, max(value - mad, 1e-3), value + mad))
            labels.append((value + mad, at, number(value)))
            tics.append(f'"{label_of(row)}" {at}')
            at += 1
        tics.append(f'"{{/:Italic {quoted(case)}}}" {at}')
        at += 2
    values = [value for value, _, _ in lines]
    linear = max(values) <= LINEAR_MOST * min(values)
    return BARS.format(
        scale="" if linear else "set logscale x", axis="" if linear else ", logarithmic",
        width=960, height=140 + 17 * at, title=quoted(title), where=quoted(where), grid="x",
        unit=quoted(unit),
        top=at - 0.5, tics=", ".join(tics), least=0 if linear else min(values) / 2, most=max(values) * (1.2 if linear else 3),
        bars="\n".join("%g %d %d" % bar for bar in lines),
        noise="\n".join("%g %d %g %g" % bar for bar in noise),
        labels="\n".join("%g %d %s" % label for label in labels))


def curves(title, where, unit, series):
    """series: {(name, look): [(tasks, value, deviation), ...]}"""
    plotted, data, tasks = [], [], []
    for (name, look), points in series.items():
        plotted.append(f"'-' using 1:2:3:4 with yerrorlines {look} title \"{name}\"")
        data += ["%d %g %g %g" % (tasks, value, max(value - mad, 1e-3), value + mad)
                 for tasks, value, mad in sorted(points)] + ["e"]
        tasks += [point[0] for point in points]
    return CURVE.format(
        width=960, height=540, title=quoted(title), where=quoted(where), grid="x y",
        unit=quoted(unit),
        least=min(tasks) / 1.5, most=max(tasks) * 1.5, plots=", ".join(plotted),
        data="\n".join(data))


def look(colour, dashed=False, thick=False):
    return (f"linecolor rgb '{colour}' linewidth {3.5 if thick else 1.5} pointtype 7 "
            f"pointsize {0.7 if thick else 0.5} dashtype {2 if dashed else 1}")


def point_of(tasks, row):
    return (int(tasks), max(row["median"], 1e-3),
            row["mad"] if row["rounds"] >= ROUNDS_ENOUGH else 0)


def yield_curves(where, unit, rows):
    """Over the number of tasks, a line a subject: from one call site, and from eight."""
    order = sorted({row["subject"] for row in rows} - {BASE} - set(FLOORS))
    looks = {BASE: look("#%06x" % COIR_COLOUR, thick=True),
             "floor": look("#%06x" % FLOOR_COLOUR, dashed=True)}
    looks.update((name, look(COLOURS[i % len(COLOURS)])) for i, name in enumerate(order))
    for kind, title in (("", "A yield, from one call site"),
                        ("-mixed", "A yield, from eight functions")):
        series = {}
        for row in rows:
            tasks, minus, mixed = row["case"].partition("-")
            if minus + mixed == kind:
                points = series.setdefault((label_of(row), looks[row["subject"]]), [])
                points.append(point_of(tasks, row))
        if series:
            yield title[2:], curves(title, where, unit, series)


def growth_curves(where, unit, rows):
    """Over the number of tasks, a line a figure; the floor's is dashed."""
    series, kinds = {}, []
    for row in rows:
        tasks, what = row["case"].split(" ", 1)
        if what not in kinds:
            kinds.append(what)
        coir = row["subject"] == BASE
        name = f"{what}, {quoted(row['subject'])}"
        series.setdefault((name, look(COLOURS[kinds.index(what)], not coir, coir)), []).append(
            point_of(tasks, row))
    title = "Memory" if unit.startswith("bytes") else "What an operation takes"
    yield f"growth, {unit}", curves(f"{title}, the more tasks there are", where, unit, series)


def unit_text(measure, unit):
    """With what it is for one of."""
    text = UNITS.get(unit, unit)
    if unit in MORE_IS_BETTER:
        return f"{text}: more is better"
    if measure == "growth" and unit == "bytes":
        return "bytes a task"
    return text if unit == "per request" else f"{text} {TITLES.get(measure, ('', ''))[1]}".rstrip()


def scripts(rows, where):
    groups = {}
    for row in rows:
        if not is_detail(row):
            groups.setdefault((row["measure"], row["unit"]), []).append(row)
    for (measure, unit), of_group in groups.items():
        text = unit_text(measure, unit)
        if measure in CURVES and len({row["case"] for row in of_group}) > 2:
            draw = yield_curves if measure == "yield" else growth_curves
            yield from draw(where, text, of_group)
        else:
            title = TITLES.get(measure, (measure, ""))[0]
            yield f"{measure}, {unit}", bars(title, where, text, of_group)


def provenance(machine):
    """What a plot says of where it was made: it is shown without the page, too."""
    said = dict(line.split(None, 1) for line in machine.splitlines() if len(line.split(None, 1)) > 1)
    cpu = said.get("CPU", "").partition(",")[0]
    governor = "governor " + said.get("governor", "unknown")
    parts = [cpu, governor, said.get("kernel", ""), said.get("compiler", ""), said.get("date", "")]
    return "   ".join(part for part in parts if part)


def plots(rows, folder, machine):
    """Writes a file for each plot; returns their contents."""
    for old in folder.glob("*.svg"):
        old.unlink()
    if shutil.which("gnuplot") is None:
        print(NO_PLOTS, file=sys.stderr)
        return []
    drawn = []
    for name, script in scripts(rows, provenance(machine)):
        svg = subprocess.run(["gnuplot"], input=script, text=True, capture_output=True,
                             check=True).stdout
        path = re.sub("[^a-z0-9]+", "-", name.replace("/", " per ").lower())
        (folder / f"{path}.svg").write_text(svg)
        drawn.append((name, svg))
    return drawn


# ---- All of it ----

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"/><title>Coir: benchmark</title>
<style>body {{ font-family: sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; }}
pre {{ background: #f6f6f6; padding: 1em; overflow-x: auto; }} img {{ max-width: 100%; }}</style>
</head><body><h1>Coir beside others</h1><pre>{machine}</pre>
<p>Medians, with their median absolute deviation where there were rounds enough, logarithmic where they lie far
apart. <b style="color:#c0392b">Red is Coir</b>; <b style="color:#7f8c8d">grey is by hand</b>: the floor, which
is the least code that does the same with none of the features, and for echo a plain loop besides.
Shorter is better, but for requests a second. A <code>~</code> says that the noise is larger than the
difference, a <code>?</code> that one or two rounds cannot tell.</p>
<h2>What it comes to</h2><pre>{summary}</pre><h2>Plots</h2>{plots}<h2>Figures</h2>
<pre>{table}</pre><pre>{notes}</pre></body></html>
"""


def text_of(path):
    return path.read_text() if path.exists() else ""


def image(name, svg):
    data = base64.b64encode(svg.encode()).decode()
    return f'<p><img alt="{html.escape(name)}" src="data:image/svg+xml;base64,{data}"/></p>\n'


def main(folder):
    rows = summarise(read(folder / "results.tsv"))
    if not rows:
        sys.exit(f"no figures: {folder / 'results.tsv'} has none")
    machine, notes = text_of(folder / "machine"), text_of(folder / "notes")
    figures, summary = table(rows), "\n".join(standing(rows) + growth(rows) + noise(rows))
    print(figures)
    print(summary)
    (folder / "results.json").write_text(json.dumps(
        {"machine": machine.splitlines(), "figures": rows, "notes": notes.splitlines()}, indent=1))
    drawn = "".join(image(name, svg) for name, svg in plots(rows, folder, machine))
    (folder / "index.html").write_text(PAGE.format(
        machine=html.escape(machine), plots=drawn or f"<p>{NO_PLOTS}</p>", table=html.escape(figures),
        summary=html.escape(summary), notes=html.escape(notes)))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
