"""Arguments of the benchmarks, told as the scripts of the tests do: what is wrong, and exit code 64. Needs no server's library."""
import argparse
import sys


class Parser(argparse.ArgumentParser):
    """Exits as the scripts do when an argument is wrong."""

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(64, f"{self.prog}: {message}\n")


def at_least(least):
    def number(text):
        if int(text) < least:
            raise ValueError
        return int(text)
    number.__name__ = f"number of at least {least}"         # argparse says: invalid ... value
    return number
