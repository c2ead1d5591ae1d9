"""Shows the queue at work: a table that moves on a terminal, a line now and then elsewhere."""
import sys
import time

STATUSES = ["New", "Scheduled", "Waiting", "Running", "Error", "Merged", "Complete"]
ENDED = ("Complete", "Merged", "Canceled")
BAR = 24
TYPE_WIDTH = 24             # with the cells below it makes 76 columns; the bar is beyond, where there is room
LINE_EVERY_S = 2


class Screen:
    def __init__(self, total):
        self.total = total
        self.terminal = sys.stdout.isatty()
        self.height = 0
        self.begin = time.monotonic()
        self.last_line = 0

    def show(self, stats, submitted, final=False):
        if self.terminal:
            self.draw(stats, submitted)
        elif final or time.monotonic() - self.last_line > LINE_EVERY_S:
            self.last_line = time.monotonic()
            counts = count_statuses(stats)
            print(f"{self.seconds():6.1f} s  submitted {submitted:5d}  " +
                  "  ".join(f"{name} {n}" for name, n in counts.items() if n), flush=True)

    def seconds(self):
        return time.monotonic() - self.begin

    def draw(self, stats, submitted):
        lines = [f"\x1b[1m{'Type':<{TYPE_WIDTH}}" + "".join(f" {s}" for s in STATUSES) + "\x1b[0m"]
        for type_name, counts in sorted(stats["byType"].items()):
            if any(counts.values()):
                lines.append(table_row(type_name, counts))
        ended = sum(n for name, n in count_statuses(stats).items() if name in ENDED)
        lines.append("")
        lines.append(f"submitted {submitted} of {self.total}, ended well {ended}, {self.seconds():.0f} s, "
                     f"{stats.get('workers', 0)} worker(s)")
        up = f"\x1b[{self.height}A" if self.height else ""
        # no wrapping meanwhile (?7l, ?7h): a line that is cut is better than two
        sys.stdout.write(up + "\x1b[?7l" + "".join(f"\x1b[2K{line}\n" for line in lines) + "\x1b[J\x1b[?7h")
        sys.stdout.flush()
        self.height = len(lines)


def table_row(type_name, counts):
    total = sum(counts.values())
    done = BAR * sum(counts.get(name, 0) for name in ENDED) // total if total else 0
    cells = "".join(cell(name, counts.get(name, 0)) for name in STATUSES)
    return f"{type_name[:TYPE_WIDTH]:<{TYPE_WIDTH}}{cells}  \x1b[32m{'#' * done}\x1b[0m{'.' * (BAR - done)}"


def cell(name, count):
    colour = {"Error": "\x1b[31m", "Running": "\x1b[33m", "Complete": "\x1b[32m", "Merged": "\x1b[32m"}.get(name, "")
    text = f"{count or '':>{len(name) + 1}}"
    return f"{colour}{text}\x1b[0m" if colour else text


def count_statuses(stats):
    counts = {}
    for by_status in stats["byType"].values():
        for name, count in by_status.items():
            counts[name] = counts.get(name, 0) + count
    return counts
