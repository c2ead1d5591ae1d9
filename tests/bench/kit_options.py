"""What the benchmark kit can be told. Needs neither a server nor a library of one: arguments are checked before anything is
built."""
import os
import pathlib
import types

from arguments import Parser, at_least
import kit_peers
import kit_scenarios

QUICK = types.SimpleNamespace(operations=200, rate=100, seconds=1, warm_up=0, runs=1)


def names(text):
    for name in text.split(","):
        if name not in kit_peers.PEERS:
            raise ValueError
    return text.split(",")


names.__name__ = "list of " + ",".join(kit_peers.PEERS)     # argparse says: invalid ... value


def builds_folder(path):
    """A build folder, or the folder of its programs."""
    for folder in (pathlib.Path(path), pathlib.Path(path) / "bin"):
        if os.access(folder / "bgop-coordinator", os.X_OK) and os.access(folder / "bgop-worker", os.X_OK):
            return folder.resolve()
    raise ValueError(f"'{path}' has neither bgop-coordinator and bgop-worker nor a folder bin with them")


def parser():
    found = Parser(prog="run", allow_abbrev=False, description="Benchmarks of a private queue on real Kafka and Redis.")
    found.add_argument("operations", type=at_least(1), nargs="?", default=100000, help="of each run (default: 100000)")
    found.add_argument("rate", type=at_least(1), nargs="?", default=500, help="a second, of latencies (default: 500)")
    found.add_argument("seconds", type=at_least(1), nargs="?", default=20, help="of latencies (default: 20)")
    found.add_argument("--runs", type=at_least(1), default=5, help="of each scenario (default: 5)")
    found.add_argument("--warm-up", type=at_least(0), default=5, help="seconds before latencies (default: 5)")
    found.add_argument("--only", action="append", metavar="PATTERN", help="scenarios with such names (* ? []); several")
    found.add_argument("--all", action="store_true", help="every scenario of the table: hours")
    found.add_argument("--list", action="store_true", help="print the names of scenarios (* is measured without --only)")
    found.add_argument("--compare", nargs=2, metavar="BUILD", help="two build folders, alternately; ratios of medians")
    found.add_argument("--beside", type=names, default=[], metavar="PEERS", help=f"alternately: {','.join(kit_peers.PEERS)}")
    found.add_argument("--no-limits", action="store_true", help="without the limits of Redis and Kafka themselves")
    found.add_argument("--quick", action="store_true", help="does it work? One tiny scenario; its figures mean nothing")
    found.add_argument("--check", action="store_true", help="only look whether the arguments are right")
    return found


def parse(words=None):
    found = parser()
    options = found.parse_args(words)
    patterns = kit_scenarios.USUAL
    if options.quick:
        options.__dict__.update(QUICK.__dict__)
        patterns = kit_scenarios.QUICK
    if options.all:
        patterns = ["*"]
    try:
        options.scenarios = kit_scenarios.chosen(options.only or patterns)
        options.compare = [builds_folder(build) for build in options.compare or []]
    except ValueError as error:
        found.error(str(error))
    return options
