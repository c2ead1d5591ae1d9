#!/usr/bin/python3
"""Submits real work of several Types through three producers, shows it moving, and checks how each operation ended.

    demo.py --folder DIR --bgopctl PROGRAM [--count N] [--slowly | --quickly]       BGOP_KAFKA and BGOP_REDIS say where

Exit 0 only if every operation ended as it should. deploy/demo starts the queue around it."""
import argparse
import os
import pathlib
import sys
import time

import cluster_records
import operations
import producers
import records
import screen

PATIENCE_S = 180            # for the last operation to end; the slowest is tried again after a Timeout of 1.5 s
SLOW_WAVE = 60              # submissions a second when somebody watches


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", required=True, help="for files that the work reads and writes")
    parser.add_argument("--bgopctl", required=True)
    parser.add_argument("--count", type=int, default=1200)
    parser.add_argument("--slowly", action="store_true", help="spread out, for somebody who watches")
    parser.add_argument("--quickly", dest="slowly", action="store_false", help="all at once (the default)")
    return parser.parse_args()


class Demo:
    def __init__(self, options):
        self.options = options
        kafka = os.environ["BGOP_KAFKA"]
        url = os.environ["BGOP_REDIS"]
        self.records = cluster_records.ClusterRecords(url, options.bgopctl) if "," in url else records.Records(url)
        repository = pathlib.Path(__file__).resolve().parents[2]
        self.producers = [producers.Kcat(kafka),
                          producers.Python(kafka, self.records.shards, repository, options.folder),
                          producers.Bgopctl(options.bgopctl, options.folder)]
        self.maker = operations.Maker(options.folder)
        self.screen = screen.Screen(options.count)
        self.submitted = []

    def run(self):
        wave = SLOW_WAVE if self.options.slowly else self.options.count
        for first in range(0, self.options.count, wave):
            self.submit(range(first, min(first + wave, self.options.count)))
            if self.options.slowly:
                self.watch(1)
        left = self.wait()
        self.show(final=True)
        return self.report(left)

    def submit(self, numbers):
        made = [self.maker.make(number) for number in numbers]
        for at, producer in enumerate(self.producers):
            own = [o for o in made if o.number % len(self.producers) == at]
            for operation in own:
                operation.producer = producer.name
            if own:
                producer.send(own)
                self.submitted += own
                self.show()

    def show(self, final=False):
        self.screen.show(self.records.stats(), len(self.submitted), final)

    def watch(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.show()
            time.sleep(0.2)

    def wait(self):
        """Until all have ended; answers those that have not when patience is at its end."""
        left, end = self.submitted, time.monotonic() + PATIENCE_S
        while left and time.monotonic() < end:
            self.records.look_up_names(left)
            unknown = [o for o in left if not o.id]
            left = unknown + self.records.unfinished([o for o in left if o.id])
            self.show()
            time.sleep(0.2)
        return left

    def report(self, left):
        wrong = [(o, "has not ended: " + (self.records.why(o) if o.id else "nobody knows its Name")) for o in left]
        wrong += self.records.check([o for o in self.submitted if o not in left])
        for operation, text in wrong[:20]:
            print(f"{operation.id or operation.name} {operation.type} by {operation.producer}: {text}")
        if len(wrong) > 20:
            print(f"... and {len(wrong) - 20} more")
        self.print_totals({o.number for o, _ in wrong})
        return not wrong

    def print_totals(self, wrong):
        print()
        for producer in self.producers:
            own = [o for o in self.submitted if o.producer == producer.name]
            good = sum(1 for o in own if o.number not in wrong)
            print(f"{producer.name:<20} {good:5d} of {len(own)} operations ended as they should")
        permanent = sum(1 for o in self.submitted if o.error)
        retried = sum(1 for o in self.submitted if o.retries)
        print(f"Among them {retried} whose first attempt had to fail, and {permanent} that were meant to end in Error.\n"
              f"Each was checked by HGETALL and by FCALL_RO bgop_retrieve.", flush=True)


def main():
    demo = Demo(arguments())
    return 0 if demo.run() else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
