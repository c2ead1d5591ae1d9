"""The README's section "By hand": every command of it is run against a queue, and prints what the README says."""
import dataclasses
import re
import subprocess
import unittest

from queue_stack import BIN, ROOT, Stack

SECTION = "## By hand"


@dataclasses.dataclass
class Example:
    command: str
    expected: str       # what must be in its output, "" for anything; "..." stands for anything between


def section(text):
    begin = text.index(SECTION + "\n")
    end = text.find("\n## ", begin)
    return text[begin:end if end > 0 else len(text)]


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def examples(block):
    """Commands of a block, each with its `# -> expected`, behind it or below; a line that ends in | or \\ goes on."""
    found, lines = [], []
    for line in block.splitlines():
        command, _, expected = line.partition("# -> ")
        if found and not command and expected:
            found[-1].expected = expected.strip()
            continue
        lines.append(command.rstrip())
        if not command.rstrip().endswith(("|", "\\")):
            found.append(Example("\n".join(lines), expected.strip()))
            lines = []
    return [example for example in found if example.command.strip()]


def pattern(expected):
    """Blanks stand for any blanks and ends of lines, "..." for anything."""
    parts = [r"\s+".join(map(re.escape, part.split())) for part in expected.split("...")]
    return ".*?".join(parts)


def run_all(commands, env, folder):
    """All in one shell, so that variables last; answers (exit code, output) of each."""
    mark = "---- end of example"
    script = "".join(f"{{ {command}\n}} 2>&1 </dev/null\necho \"{mark} $?\"\n" for command in commands)
    done = subprocess.run(["bash", "-c", script], env=env, cwd=folder, capture_output=True, text=True, timeout=300)
    pieces = re.split(rf"{mark} (\d+)\n", done.stdout)
    assert len(pieces) == 2 * len(commands) + 1, f"the shell ended early: {done.stdout[-2000:]}{done.stderr}"
    return [(int(code), output) for output, code in zip(pieces[::2], pieces[1::2])]


class Readme(unittest.TestCase):
    def test_every_example_prints_what_the_readme_says(self):
        text = section((ROOT / "README.md").read_text())
        [config] = blocks(text, "ini")
        shown = [example for block in blocks(text, "sh") for example in examples(block)]
        self.assertGreater(len(shown), 40, "the section has examples")
        with Stack(config) as stack:
            env = dict(stack.env, PATH=f"{BIN}:{stack.env['PATH']}")
            for example, (code, output) in zip(shown, run_all([e.command for e in shown], env, stack.folder)):
                with self.subTest(example.command):
                    self.assertEqual(code, 0, output)
                    self.assertRegex(output, re.compile(pattern(example.expected), re.DOTALL))


if __name__ == "__main__":
    unittest.main(verbosity=2)
