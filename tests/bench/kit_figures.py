"""What the benchmark kit makes of its runs: medians and spreads, ratios, lines of JSON and tables. No clock, no process."""
import json
import statistics

# Which figures tables show, under which words, with how many decimals; beside these, what each process took.
COLUMNS = {"end_to_end_per_s": ("ops/s", 0), "per_s": ("limit/s", 0), "submit_per_s": ("submit/s", 0),
           "p50_ms": ("p50 ms", 2), "p99_ms": ("p99 ms", 2),
           "redis_us_per_operation": ("Redis us", 1), "redis_commands_per_operation": ("Redis cmds", 2),
           "redis_bytes_per_operation": ("bytes", 0), "kafka_requests_per_operation": ("Kafka reqs", 3),
           "redis_commands_per_s": ("Redis cmds/s", 0), "coordinators_balance": ("balance", 2), "load_average": ("load", 1)}
CPU, PERCENT = "cpu_us_per_operation_", "cpu_percent_"


def summary(runs):
    """Figure -> median, least, most and all values, in the order of the runs. A figure that a run lacks stands with None."""
    figures = {}
    for name in dict.fromkeys(name for run in runs for name in run):
        values = [run.get(name) for run in runs]
        known = [value for value in values if value is not None]
        figures[name] = {"median": statistics.median(known) if known else None, "least": min(known, default=None),
                         "most": max(known, default=None), "values": values}
    return figures


def line(about, runs):
    """One scenario (or peer, or limit) as one line of JSON."""
    return json.dumps({**about, "runs": len(runs), "figures": summary(runs)})


def ratios(runs_a, runs_b):
    """Figure -> median of B by median of A, for those that both have and that are not 0 in A."""
    a, b = summary(runs_a), summary(runs_b)
    both = [name for name in a if name in b and a[name]["median"] and b[name]["median"] is not None]
    return {name: b[name]["median"] / a[name]["median"] for name in both}


def spread(figure):
    """How far the runs lie apart: most - least, in percent of the median."""
    return 100 * (figure["most"] - figure["least"]) / figure["median"] if figure["median"] else 0


def cell(figure, decimals):
    if figure is None or figure["median"] is None:
        return "-"
    return f"{figure['median']:,.{decimals}f} ±{spread(figure) / 2:.0f}%"


def cpu_text(figures):
    """What each process took, the most expensive first: microseconds per operation, or percent of a core (with its sign)."""
    spent = []
    for prefix, sign in ((CPU, ""), (PERCENT, "%")):
        spent += [(figures[name]["median"] or 0, name.removeprefix(prefix), sign) for name in figures if name.startswith(prefix)]
    return ", ".join(f"{name} {taken:,.1f}{sign}" for taken, name, sign in sorted(spent, reverse=True) if taken >= 0.05)


def table(rows):
    """rows: (title, runs) -> the lines of a table; a column stands if any row has its figure."""
    summaries = [(title, summary(runs)) for title, runs in rows]
    used = {name: words for name, words in COLUMNS.items()
            if any(figures.get(name, {}).get("median") is not None for _, figures in summaries)}
    lines = [["scenario", *(words for words, _ in used.values()), "CPU us per operation"]]
    for title, figures in summaries:
        lines.append([title, *(cell(figures.get(name), decimals) for name, (_, decimals) in used.items()), cpu_text(figures)])
    return aligned(lines)


def ratio_table(rows):
    """rows: (scenario, runs of A, runs of B) -> a line for each figure: both medians, B by A, and the spread of both."""
    lines = [["scenario", "figure", "A", "B", "B/A"]]
    for title, runs_a, runs_b in rows:
        a, b = summary(runs_a), summary(runs_b)
        for name, ratio in ratios(runs_a, runs_b).items():
            if name in COLUMNS and name != "load_average" or name.startswith((CPU, PERCENT)):
                decimals = COLUMNS.get(name, ("", 1))[1]
                lines.append([title, name, cell(a[name], decimals), cell(b[name], decimals), f"{ratio:.3f}"])
    return aligned(lines)


def times_lines(times, runs):
    """times: (scenario, of which other, at least); runs: scenario -> its runs. A line for each of which both were measured."""
    for name, other, least in times:
        if name in runs and other in runs:
            ratio = ratios(runs[other], runs[name])["end_to_end_per_s"]
            yield f"{name}: {ratio:.2f} times {other} (meant: {least} at least)"


def balance(cpu, kind):
    """The CPU of the one of this kind that had least to do by that of the one that had most; None: there are not several."""
    each = [seconds for name, seconds in cpu.items() if name.startswith(kind + "-")]
    return round(min(each) / max(each), 3) if len(each) > 1 and max(each) > 0 else None


def aligned(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:-1], widths[1:-1]), line[-1]]).rstrip() for line in lines]
