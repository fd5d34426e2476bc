#!/usr/bin/env python3
"""Makes the report of a run: report.py FOLDER, where results.tsv, machine and notes lie.

results.tsv has one line a figure: measure, case, unit, subject, value. Printed is a table; written
are results.json, a plot for each measure as SVG (by gnuplot, where there is one), and index.html,
which holds table and plots and needs no other file.

For each subject of a case: minimum, median, median absolute deviation (MAD), number of figures. The
ratio is to Coir, round by round (the subjects took turns), then the median of those; a "~" before it
says that it differs from 1 by less than its own MAD: nothing to conclude from."""
import html
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

BASE = "coir"


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
    return f"{'~' if doubtful else ''}{row['ratio']:.3f}"


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
                     f"{number(row['median']):>10} {number(row['mad']):>9} {row['rounds']:>4} "
                     f"{ratio_text(row):>10}")
    return "\n".join(lines)


# ---- Plots ----

PLOT = """set terminal svg size 960,{height} font 'sans-serif,12' background rgb 'white'
set title '{title}'
set logscale x
set grid x
set style fill solid 0.8 noborder
set yrange [-0.5:{top}]
set ytics ({tics})
set lmargin 34
set key off
set xrange [{least}:*]
plot '-' using 1:2:({least}):1:($2-0.4):($2+0.4):3 with boxxyerror linecolor variable
{data}
e
"""


def quoted(text):
    return text.replace("'", "''").replace("_", " ")


def plot(measure, unit, rows):
    """A bar a subject, grouped by case, shortest on top; Coir's in its own colour."""
    bars, tics, at = [], [], 0
    cases = {}
    for row in rows:
        cases.setdefault(row["case"], []).append(row)
    for case, of_case in reversed(cases.items()):
        for row in sorted(of_case, key=lambda it: -it["median"]):
            bars.append((max(row["median"], 1e-3), at, 2 if row["subject"] == BASE else 6))
            tics.append(f"'{quoted(row['subject'])}, {quoted(case)}' {at}")
            at += 1
        at += 1
    script = PLOT.format(height=80 + 18 * at, title=f"{quoted(measure)}: {quoted(unit)}",
                         top=at - 0.5, tics=", ".join(tics), least=min(bars)[0] / 2,
                         data="\n".join("%g %d %d" % bar for bar in bars))
    return subprocess.run(["gnuplot"], input=script, text=True, capture_output=True,
                          check=True).stdout


def plots(rows, folder):
    """Writes a file for each measure and unit; returns their contents."""
    if shutil.which("gnuplot") is None:
        print("no plots: needs gnuplot", file=sys.stderr)
        return []
    groups = {}
    for row in rows:
        groups.setdefault((row["measure"], row["unit"]), []).append(row)
    drawn = []
    for (measure, unit), of_group in groups.items():
        svg = plot(measure, unit, of_group)
        name = f"{measure}-{unit}".replace("/", "_per_").replace(" ", "_")
        (folder / f"{name}.svg").write_text(svg)
        drawn.append(svg[svg.index("<svg"):])
    return drawn


# ---- All of it ----

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Coir: benchmark</title>
<style>body {{ font-family: sans-serif; max-width: 62em; margin: 2em auto; }}
pre {{ background: #f6f6f6; padding: 1em; overflow-x: auto; }} svg {{ max-width: 100%; }}</style>
</head><body><h1>Coir beside others</h1><pre>{machine}</pre>{plots}<h2>Figures</h2>
<pre>{table}</pre><pre>{notes}</pre></body></html>
"""


def text_of(path):
    return path.read_text() if path.exists() else ""


def main(folder):
    rows = summarise(read(folder / "results.tsv"))
    machine, notes = text_of(folder / "machine"), text_of(folder / "notes")
    figures = table(rows)
    print(figures)
    (folder / "results.json").write_text(json.dumps(
        {"machine": machine.splitlines(), "figures": rows, "notes": notes.splitlines()}, indent=1))
    (folder / "index.html").write_text(PAGE.format(
        machine=html.escape(machine), plots="".join(plots(rows, folder)),
        table=html.escape(figures), notes=html.escape(notes)))


main(pathlib.Path(sys.argv[1]))
