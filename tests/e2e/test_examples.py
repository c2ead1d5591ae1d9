"""The programs of proto/examples, and libbgop's, submit to a queue of real programs as their pages say, twice: the same
Name and content is the same operation."""
import json
import os
import pathlib
import shutil
import subprocess
import unittest

from grounds import Stack, not_on
from queue_stack import BIN, ROOT, eventually

EXAMPLES = ROOT / "proto" / "examples"
IN_CLEAR = "the example knows addresses only"


def run(env, *command, **options):
    done = subprocess.run([str(word) for word in command], env=env, capture_output=True, text=True, timeout=300, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} exited {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack("[type WebCart]\nhandler = noop\n").__enter__()
        cls.env = cls.stack.env

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    def found(self, name):
        listed = self.stack.ctl("query", "--json", "SELECT Id, ParentKey, Status FROM BackgroundOperation "
                                f"WHERE Name = '{name}'")
        return json.loads(listed.stdout)

    def duplicates(self):
        return self.stack.stats()["duplicates"]

    def submits(self, name, *command, **options):
        duplicates = self.duplicates()
        run(self.env, *command, **options)
        eventually(lambda: [row["Status"] for row in self.found(name)] == ["Complete"], f"{name} to be Complete")
        self.assertEqual([row["ParentKey"] for row in self.found(name)], ["acct-42"])
        run(self.env, *command, **options)
        eventually(lambda: self.duplicates() == duplicates + 1, f"{name} to be known again")
        self.assertEqual(len(self.found(name)), 1)

    def test_kcat(self):
        self.submits("by kcat", EXAMPLES / "submit.sh", "by kcat")

    @not_on("secured", IN_CLEAR)
    def test_python(self):
        self.submits("from-python", "/usr/bin/python3", EXAMPLES / "submit.py")

    @not_on("secured", IN_CLEAR)
    def test_java(self):
        folder, classes = pathlib.Path(run(None, ROOT / "deploy/kafka/fetch").strip()), self.stack.folder / "classes"
        jars = ":".join(map(str, sorted(folder.glob("*.jar"))))
        run(None, "ecj", "-17", "-nowarn", "-proc:none", "-cp", jars, "-d", classes, EXAMPLES / "Submit.java")
        self.submits("from-java", "java", "-cp", f"{classes}:{jars}", "Submit")

    @unittest.skipUnless(shutil.which("gofmt"), "no Go")
    def test_go_is_well_formed(self):
        self.assertEqual(run(None, "gofmt", "-e", "-l", EXAMPLES), "")

    @unittest.skipUnless(shutil.which("go") and os.environ.get("BGOP_TIER") == "nightly",
                         "no Go, or not tests/nightly: compiling its client takes half a minute")
    def test_go(self):
        program = self.stack.folder / "submit-go"
        run(None, "go", "build", "-o", program, "submit.go", cwd=EXAMPLES)
        self.submits("from-go", program)

    @not_on("secured", IN_CLEAR)
    def test_c(self):
        record = json.loads(run(self.env, BIN / "bgop_example", "WebCart", "hello"))
        self.assertEqual((record["Type"], record["Status"]), ("WebCart", "Complete"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
