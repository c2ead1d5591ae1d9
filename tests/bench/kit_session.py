"""A session of the benchmark kit: every scenario in turn, so many rounds; then one line of JSON for each and the tables."""
import os
import sys

import bench_stack
import kit_figures
import kit_limits
import kit_peers
import kit_queue
import kit_scenarios


class Book:
    """Runs by (title, build), and which titles failed."""

    def __init__(self):
        self.about, self.runs, self.failed, self.records = {}, {}, {}, {}

    def note(self, title, build, about, figures):
        self.about[title, build] = about
        self.runs.setdefault((title, build), []).append(figures)

    def rows(self):
        return [(title + (f" {build}" if build else ""), runs) for (title, build), runs in self.runs.items()]


def say(text):
    print(text, file=sys.stderr, flush=True)


def attempt(book, title, what):
    """A scenario that failed once is not tried again: its figures would be of another thing."""
    if title in book.failed:
        return
    try:
        what()
    except (kit_queue.Failed, AssertionError) as error:
        book.failed[title] = str(error)
        say(f"{title}: FAILED: {error}")


def run_scenario(book, scenario, build, folder, options, tools, broker):
    figures, record = kit_queue.run(scenario, options, folder, tools, broker)
    about = {"scenario": scenario.name, "kind": scenario.kind, "shape": scenario.shape, "slots": scenario.slots,
             "handler": scenario.handler, "workers": scenario.workers, "coordinators": scenario.coordinators,
             "build": build, "cores": os.cpu_count()}
    book.note(scenario.name, build, about, figures)
    if scenario.kind == "rate":
        book.records.setdefault(scenario.shape, record)
    say(f"{scenario.name} {build}: " + ", ".join(f"{name} {figures[name]:,.1f}" for name in
        ("end_to_end_per_s", "p50_ms", "p99_ms", "redis_us_per_operation", "load_average") if name in figures))


def run_limits(book, options, tools, broker):
    shape, record = max(book.records.items(), key=lambda item: len(item[1]))    # of the shapes measured, the fullest
    for name, figures in kit_limits.run(options.operations, record, tools, broker):
        book.note(f"limit/{name}", "", {"limit": name, "shape": shape, "cores": os.cpu_count()}, figures)


def run_peer(book, name, options, tools):
    for kind, figures in kit_peers.run(name, options, tools):
        title = f"peer/{kind}/{name}"
        book.note(title, "", {"peer": name, "kind": kind, "version": kit_peers.version(name), "cores": os.cpu_count()}, figures)


def rounds(book, options, builds, tools, broker):
    for number in range(options.runs):
        say(f"---- round {number + 1} of {options.runs}")
        for scenario in options.scenarios:
            for build, folder in builds[::-1] if number % 2 else builds:    # whoever goes first has no other share of it
                attempt(book, scenario.name, lambda: run_scenario(book, scenario, build, folder, options, tools, broker))
        if book.records and not options.no_limits:
            attempt(book, "limits", lambda: run_limits(book, options, tools, broker))
        for name in options.beside:
            attempt(book, f"peer {name}", lambda: run_peer(book, name, options, tools))


def warm(options, builds, tools, broker):
    """Java compiles what it runs often, for minutes: the first scenario would pay for all."""
    if not options.quick:
        first = next((s for s in options.scenarios if s.kind != "cold"), None)
        if first:
            say("---- warm-up of the broker")
            try:
                kit_queue.run(first, options, builds[0][1], tools, broker)
            except (kit_queue.Failed, AssertionError) as error:
                say(f"warm-up: {error}")        # its own runs will say so once more, and count


def report(book, compared):
    for (title, build), runs in book.runs.items():
        print(kit_figures.line({**book.about[title, build], "failed": book.failed.get(title)}, runs))
    for title in [title for title in book.failed if not any(title == known for known, _ in book.runs)]:
        print(kit_figures.line({"scenario": title, "failed": book.failed[title]}, []))
    if book.runs:
        print("\n".join(["", *kit_figures.table(book.rows())]))
    for line in kit_figures.times_lines(kit_scenarios.TIMES, {title: runs for (title, build), runs in book.runs.items() if not build}):
        print(line)
    if compared:
        pairs = [(title, runs, book.runs[title, "B"]) for (title, build), runs in book.runs.items()
                 if build == "A" and (title, "B") in book.runs]
        print("\n".join(["", *kit_figures.ratio_table(pairs)]))
    for title, why in book.failed.items():
        print(f"FAILED {title}: {why}")
    sys.stdout.flush()


def measure(options, tools):
    """Everything that the options ask for; whether all of it went well."""
    builds = list(zip("AB", options.compare)) or [("", tools)]
    bench_stack.come_first("self")
    kit_peers.prepare(options.beside)
    book = Book()
    try:
        with kit_queue.Broker() as broker:
            warm(options, builds, tools, broker)
            rounds(book, options, builds, tools, broker)
    finally:
        report(book, options.compare)
    return not book.failed
