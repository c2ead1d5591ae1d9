#!/usr/bin/env python3
"""The benchmark kit, called by tests/bench/run, which builds first. README.md says how to read what it prints."""
import os
import pathlib
import sys

import kit_options
import kit_scenarios


def list_scenarios():
    usual = kit_scenarios.chosen(kit_scenarios.USUAL)
    for scenario in kit_scenarios.SCENARIOS:
        print(("* " if scenario in usual else "  ") + scenario.name)


def main():
    options = kit_options.parse()
    if options.check:
        return 0
    if options.list:
        list_scenarios()
        return 0
    import kit_session          # needs the servers' libraries
    try:
        return 0 if kit_session.measure(options, pathlib.Path(os.environ["BGOP_BIN"])) else 1
    except RuntimeError as error:
        sys.exit(f"run: {error}")


if __name__ == "__main__":
    sys.exit(main())
