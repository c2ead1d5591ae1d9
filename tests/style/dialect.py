#!/usr/bin/env python3
"""Checks what clang-format 14 cannot: that C files write the same thing in one way, in the folders of FOLDERS.

  1. A result code is called st: `enum status st`, also as a parameter. `status` is the Status of a record, or a member
     (err->status). Several results at once are called by what they are of: sent, delivered.
  2. Braces: none where every branch is a single line; around all branches where one of them has more.

  tests/style/dialect.py [--fix] [FOLDER]   the top of the checkout by default; exit 1 and a line for each finding.
                                            --fix puts and removes braces; clang-format -i behind it
"""

import pathlib
import re
import subprocess
import sys

FOLDERS = ("common", "coordinator", "worker")

RESULT = re.compile(r"\benum status \**status\b")
HEAD = re.compile(r"^(\s*)(if|for|while) \(")
NOISE = re.compile(r"\"(\\.|[^\"\\])*\"|'(\\.|[^'\\])'|\s*/\*.*?\*/|\s*//.*")


def in_struct(lines, index):
    depth = 0
    for line in reversed(lines[:index]):
        depth += line.count("}") - line.count("{")
        if depth < 0:
            return bool(re.search(r"\b(struct|union)\b[^()]*\{", line))
    return False


def results(lines):
    for index, line in enumerate(lines):
        if RESULT.search(line) and not (line.split("/*")[0].rstrip().endswith(";") and "=" not in line and in_struct(lines, index)):
            yield index, "a result code is called st"


def end_of(bare, index, wanted):
    """The line on which the parentheses that open on this one are closed, and the wanted ending stands."""
    depth = 0
    while index < len(bare):
        depth += bare[index].count("(") + bare[index].count("{") - bare[index].count(")") - bare[index].count("}")
        if depth <= (1 if wanted == "{" else 0) and bare[index].endswith(wanted):
            return index
        index += 1
    return index


def head_end(bare, index):
    depth = 0
    while index < len(bare):
        depth += bare[index].count("(") - bare[index].count(")")
        if depth <= 0:
            return index
        index += 1
    return index


def branches(bare, index, indent):
    """All branches of the if (or the only one of a loop) that begins here: (end of its head, its last line, has braces)."""
    found = []
    while index < len(bare):
        end = head_end(bare, index)
        braced = bare[end].endswith("{")
        if bare[end].endswith((";", "\\")) or end + 1 >= len(bare):
            return []
        if braced:
            last = end + 1
            while last < len(bare) and not bare[last].startswith(indent + "}"):
                last += 1
            found.append((end, last - 1, True))
            index = last if last < len(bare) and " else" in bare[last] else len(bare)
        else:
            last = end + 1
            if HEAD.match(bare[last]):          # a statement of its own: its end is not looked for, it has more lines anyway
                found.append((end, last + 1, False))
                return found
            last = end_of(bare, last, ";")
            found.append((end, last, False))
            index = last + 1 if re.match(indent + r"else\b", bare[last + 1]) else len(bare)
    return found


def braces(lines):
    """(line, what, its branches) for each if and loop that is not as the rule says."""
    bare = [NOISE.sub(lambda m: '""' if m.group(0)[0] in "\"'" else "", line).rstrip() for line in lines]
    for index, line in enumerate(bare):
        head = HEAD.match(line)
        if not head:
            continue
        found = branches(bare, index, head.group(1))
        more = any(last - end > 1 for end, last, _ in found)
        if more and not all(braced for _, _, braced in found):
            yield index, "a branch has more than one line: braces around all", found
        elif not more and any(braced for _, _, braced in found):
            yield index, "braces around a single line", found


def fix(lines, index, found, add):
    indent = re.match(r"\s*", lines[index]).group(0)
    for end, last, braced in reversed(found):
        behind = lines[last + 1]
        if add and not braced:
            if re.match(indent + r"else\b", behind):
                lines[last + 1] = indent + "} " + behind.lstrip()
            else:
                lines.insert(last + 1, indent + "}")
            lines[end] += " {"
        elif not add and braced:
            if " else" in behind:
                lines[last + 1] = behind.replace("} ", "", 1)
            else:
                del lines[last + 1]
            lines[end] = lines[end].removesuffix(" {")


def fix_all(lines):
    """One at a time, for each moves the lines behind it; what holds another statement without braces is left to a person."""
    while True:
        wrong = [(index, what, found) for index, what, found in braces(lines)
                 if not any(HEAD.match(lines[end + 1]) and not braced for end, _, braced in found)]
        if not wrong:
            return
        index, what, found = wrong[0]
        fix(lines, index, found, what.startswith("a branch"))


def check_file(path, name, fixing):
    lines = path.read_text().split("\n")
    if fixing:
        fix_all(lines)
        path.write_text("\n".join(lines))
    for index, what in list(results(lines)) + [(index, what) for index, what, _ in braces(lines)]:
        yield f"{name}:{index + 1}: {what}: {lines[index].strip()}"


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--fix"]
    top = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).parents[2]).resolve()
    names = subprocess.run(["git", "-C", top, "ls-files", "*.c", "*.h"], check=True, capture_output=True, text=True).stdout
    names = [name for name in names.split() if name.split("/")[0] in FOLDERS and (top / name).is_file()]
    findings = [finding for name in names for finding in check_file(top / name, name, "--fix" in sys.argv)]
    print("\n".join(findings) if findings else f"dialect: {len(names)} files in {', '.join(FOLDERS)} write alike")
    sys.exit(1 if findings or not names else 0)


if __name__ == "__main__":
    main()
