"""The page deploy/BY_HAND.md: every command of it is run against a queue, and prints what the page says. The queue is
that of deploy/up, in a folder that a shell would take apart, from a repository of such a name. And the first handler that
README.md has somebody write."""
import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from grounds import not_on
from queue_stack import BIN, ROOT, free_ports

PAGE = ROOT / "deploy" / "BY_HAND.md"


@dataclasses.dataclass
class Example:
    command: str
    expected: str       # what must be in its output, "" for anything; "..." stands for anything between


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


def deploy(name, env, *words, check=True):
    done = subprocess.run([env["REPOSITORY"] + "/deploy/" + name, *words], env=env, capture_output=True, text=True,
                          timeout=300)
    assert not check or done.returncode == 0, f"deploy/{name} {words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def read_pids(folder):
    return dict(line.split() for line in (folder / "home/pids").read_text().splitlines())


@contextlib.contextmanager
def set_up(config):
    """Runs deploy/up with that configuration; answers the environment that its file makes, and a folder."""
    above = pathlib.Path(tempfile.mkdtemp(prefix="bgop-e2e-"))
    folder = above / "it's a $home; new\nline, ü"
    folder.mkdir()
    (folder / "repository").symlink_to(ROOT)
    (folder / "hand.ini").write_text(config)
    kafka, redis, http = map(str, free_ports(3))
    env = dict(os.environ, BGOP_HOME=str(folder / "home"), BGOP_BIN=str(BIN), BGOP_KAFKA_PORT=kafka, BGOP_REDIS_PORT=redis,
               BGOP_HTTP_PORT=http, REPOSITORY=str(folder / "repository"))
    try:
        deploy("up", env, "--config", folder / "hand.ini")
        done = subprocess.run(["sh", "-c", '. "$BGOP_HOME/env" && env -0'], env=env, capture_output=True, text=True, check=True)
        yield dict(line.split("=", 1) for line in done.stdout.split("\0") if line), folder
    finally:
        deploy("down", env)
        shutil.rmtree(above)


@not_on("cluster secured", "the page is about one broker and one Redis in clear, which deploy/up starts")
class ByHand(unittest.TestCase):
    def test_every_example_prints_what_the_page_says(self):
        text = PAGE.read_text()
        [config] = blocks(text, "ini")
        shown = [example for block in blocks(text, "sh") for example in examples(block)]
        self.assertGreater(len(shown), 40, "the page has examples")
        with set_up(config) as (env, folder):
            for example, (code, output) in zip(shown, run_all([e.command for e in shown], env, folder)):
                with self.subTest(example.command):
                    self.assertEqual(code, 0, output)
                    self.assertRegex(output, re.compile(pattern(example.expected), re.DOTALL))
            self.check_processes(env, folder)

    def check_processes(self, env, folder):
        """One by one, as its README says."""
        pids = read_pids(folder)
        self.assertEqual(sorted(pids), ["coordinator-1", "kafka", "redis", "worker-1"])
        again = deploy("up", env, check=False)
        self.assertEqual((again.returncode, read_pids(folder)), (0, pids), "what runs is left alone")
        refused = deploy("up", env, "--restart", "worker-1", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(f"worker-1 runs already (pid {pids['worker-1']})", refused.stderr)
        os.kill(int(pids["worker-1"]), 9)
        deploy("up", env, "--restart", "worker-1")
        self.assertEqual({name for name, pid in read_pids(folder).items() if pids[name] != pid}, {"worker-1"})


@not_on("cluster secured", "bgop dev has a Redis and a broker of its own")
class FirstHandler(unittest.TestCase):
    def test_it_does_what_the_readme_says(self):
        section = (ROOT / "README.md").read_text().partition("## Write a handler")[2].partition("\n## ")[0]
        [block] = blocks(section, "sh")
        expected = re.findall(r"# -> (.*)", block)
        self.assertEqual(len(expected), 2)
        with tempfile.TemporaryDirectory() as folder:
            env = {name: value for name, value in os.environ.items() if not name.startswith("BGOP_")}
            env["PATH"] = f"{BIN}:{env['PATH']}"
            done = subprocess.run(["bash", "-ec", block + "wait\n"], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, re.compile(".*".join(map(pattern, expected)), re.DOTALL))


if __name__ == "__main__":
    unittest.main(verbosity=2)
