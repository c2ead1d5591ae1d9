#!/usr/bin/env python3
"""Checks the pages: what they name exists, and nobody is sent to a page that is not in the repository.

  1. A file or folder in backquotes on a Markdown page exists: below the page's folder, or from the top. `a.[ch]`,
     `a.{c,h}` and `*` are patterns. Under a heading "How to ..." the path must be exact (from the page's folder or the
     top), for that is where people go. What a link leads to, [text](path), exists as well.
  2. Each of the changes that newcomers make (HOW_TOS) has its "How to" on the page of its room, and it names a file.
  3. No file cites a page outside of the repository, or a numbered rule that nobody can look up (CITATIONS).
  4. Lines of prose on Markdown pages have at most 110 columns; tables and code are as wide as they are.

  tests/style/pages.py [FOLDER]      the top of the checkout by default; exit 1 and a line for each finding
"""

import glob
import pathlib
import re
import subprocess
import sys

WIDTH = 110

# The changes that newcomers make, and the page that says how.
HOW_TOS = {
    "worker/handlers/README.md": ["add a kind of handler"],
    "common/record/README.md": ["add a field", "add a Type"],
    "common/functions/README.md": ["add a key", "add a wire field", "change the retry law"],
    "common/http/README.md": ["add a route"],
    "common/config/README.md": ["add an option", "change the retries of one Type"],
    "common/redis/README.md": ["speak to another kind of Redis"],
    "coordinator/README.md": ["add a counter", "add a topic", "add a start-up check"],
    "coordinator/ctl/README.md": ["add a command"],
    "proto/README.md": ["add a field"],
}

NAMED = re.compile(r"`([^`\s]+)`")
LINKED = re.compile(r"\]\(([^)#:\s]+)\)")
PATH = re.compile(r"^[\w.*{},\[\]-]+(/[\w.*{},\[\]-]+)*/?$")
ENDINGS = (".c", ".h", ".[ch]", ".lua", ".py", ".md", ".sh", ".proto", ".cmake", ".ini", ".conf", ".json", ".xml",
           ".txt", ".yml", ".acl", ".in")
# Named for what they are in a build, in a set-up or on somebody's machine; not files of the repository.
MADE = {"bgop.lua", "tables.lua", "hand.ini", "bgop.ini"}

CITATIONS = [
    (re.compile(r"\b(design|record|interface|reliability|salesforce-api|style|anchors)\.md\b"), "a page that is not here"),
    (re.compile(r"\b(rules?|invariants?) [RI][0-9]+\b|\([RIBFHM][0-9]+(,| -|-|\))"), "a number that nobody can look up"),
    (re.compile(r"[/*;-].*\b[RB][0-9]{1,2}[:,) ]"), "a number that nobody can look up"),
]
CITING = (".c", ".h", ".lua", ".py", ".sh", ".md", ".proto", ".txt", ".cmake")


def tracked(top):
    names = subprocess.run(["git", "-C", top, "ls-files"], check=True, capture_output=True, text=True).stdout.split("\n")
    return [name for name in names if name and (top / name).is_file()]


def patterns(name):
    """a.{c,h} as the patterns that glob knows; it knows a.[ch]."""
    match = re.search(r"\{([^}]*)\}", name)
    if not match:
        return [name]
    return [one for word in match.group(1).split(",") for one in patterns(name.replace(match.group(0), word, 1))]


def exists(top, folder, name, exact):
    for pattern in patterns(name.rstrip("/")):
        if glob.glob(str(folder / pattern)) or glob.glob(str(top / pattern)):
            continue
        if exact or not any(folder.rglob(pattern.split("/")[-1] if "/" not in pattern else pattern)):
            return False
    return True


def is_path(word):
    if not PATH.match(word) or word.startswith((".", "-")) or word in MADE:
        return False
    return word.endswith(ENDINGS) or (word.endswith("/") and word.count("/") >= 1 and not word.startswith("/"))


def check_page(top, name):
    page = top / name
    heading, code = "", False
    for number, line in enumerate(page.read_text().split("\n"), 1):
        if line.startswith("```"):
            code = not code
        if code:
            continue
        if line.startswith("#"):
            heading = line.lstrip("# ")
        how_to = heading.lower().startswith("how to")
        for word in NAMED.findall(line):
            if is_path(word) and not exists(top, page.parent, word, how_to):
                yield f"{name}:{number}: no file {word}"
        for link in LINKED.findall(line):
            if not (page.parent / link).exists():
                yield f"{name}:{number}: a link to {link}, which is not there"
        if len(line) > WIDTH and not line.lstrip().startswith("|"):
            yield f"{name}:{number}: {len(line)} columns, at most {WIDTH}"


def check_how_tos(top):
    for name, wanted in HOW_TOS.items():
        page = top / name
        if not page.is_file():
            yield f"{name}: is not there; it should say how to {' and how to '.join(wanted)}"
            continue
        text = page.read_text()
        for change in wanted:
            section = re.search(rf"(?mis)^#+ how to {re.escape(change)}$(.*?)(?=^#+ |\Z)", text)
            if not section:
                yield f'{name}: has no heading "How to {change}"'
            elif not any(is_path(word) for word in NAMED.findall(section.group(1))):
                yield f'{name}: "How to {change}" names no file'


def check_citations(top, name):
    for number, line in enumerate((top / name).read_text(errors="replace").split("\n"), 1):
        for pattern, what in CITATIONS:
            if pattern.search(line):
                yield f"{name}:{number}: cites {what}: {line.strip()[:100]}"
                break


def main():
    top = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
    findings = []
    for name in tracked(top):
        if name.endswith(".md"):
            findings += check_page(top, name)
        if name.endswith(CITING) and not name.startswith(("tests/style/", "tests/fuzz/corpus/")):
            findings += check_citations(top, name)
    findings += check_how_tos(top)
    print("\n".join(findings) if findings else "pages: every named file exists, nothing outside is cited")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
