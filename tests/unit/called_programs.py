#!/usr/bin/python3
"""What scripts, tests, handlers, examples and C code call comes from a package that deploy/deps names for it.

    called_programs.py SOURCE-FOLDER

deploy/deps is the only list. Beside it stands what every Debian has: the required packages, and git. Shell is read with
shfmt and Python with ast; programs whose names come out of variables are not seen."""
import ast
import fnmatch
import functools
import importlib.util
import json
import pathlib
import re
import shlex
import subprocess
import sys

# Entry points and what they run. Groups of packages are what an entry point says to deploy/deps itself.
SOURCES = [f"{folder}/*{kind}" for folder in ("common", "coordinator", "worker", "proto")
           for kind in (".c", ".h", ".cmake", "CMakeLists.txt")] + ["CMakeLists.txt"]
ENTRY_POINTS = {
    "deploy/deps": ["deploy/deps"],
    "deploy/up": ["deploy/up", "deploy/down", "deploy/*.sh", "deploy/*.ini", "deploy/kafka/*", *SOURCES],
    "deploy/demo": ["deploy/demo", "deploy/*.sh", "deploy/demo-work/*", *SOURCES],
    "deploy/package": ["deploy/package", "deploy/*.cmake", "CMakeLists.txt"],
    "tests/run": ["*"],
}
BY_CHOICE = {"gdb", "valgrind", "docker", "kubectl"}  # documents may name them, with their package
WHERE_THERE = {"node", "npm", "go", "gofmt", "beanstalkd", "postgres", "initdb"}   # an example in its language, and peers of benchmarks: only where they are
OWN = re.compile(r"bgop(ctl|-[a-z-]+)?$")           # our own programs
# Those start the program that stands behind their options.
WRAPPERS = {"builtin", "command", "env", "exec", "nice", "nohup", "setsid", "stdbuf", "sudo", "time", "timeout", "xargs"}
# Often there, but not in a bare Debian: seen also where a word is only passed on and no program of this machine.
OFTEN_THERE = set("curl wget ps ip ss lsof xxd file bc less sudo jq nc socat strace gdb valgrind vim rsync ssh gawk lsb_release "
                  "netstat ifconfig killall pkill top tree unzip zip make perl ping dig host telnet column rev".split())


def output(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout


# ---- what packages bring ----
class Packages:
    """Programs and files of the packages of some groups, with what a package has split off itself (python3-minimal)."""

    def __init__(self, names):
        fields = "${Package}\t${source:Package}\t${Priority}\t${Pre-Depends}, ${Depends}\t${db:Status-Status}\n"
        rows = [line.split("\t") for line in output("dpkg-query", "-W", "-f", fields).splitlines()]
        source = {row[0]: row[1] for row in rows if row[4] == "installed"}
        self.missing = sorted(set(names) - set(source))
        names = {row[0] for row in rows if row[2] == "required"} | {"git"} | set(names) - set(self.missing)
        for name, _, _, depends, _ in rows:
            if name in names:
                wanted = re.findall(r"[a-z0-9][a-z0-9.+-]+(?=[ ,|:]|$)", re.sub(r"\(.*?\)", "", depends))
                names |= {other for other in wanted if source.get(other) == source[name]}
        self.files = set(output("dpkg-query", "-L", *sorted(names)).splitlines())
        self.programs = {file.rsplit("/", 1)[1] for file in self.files if re.match(r"(/usr)?/s?bin/", file)}

    def bring(self, program):
        return program in self.programs or self.is_alternative(program)

    def is_alternative(self, program):
        """awk is mawk or gawk, as the machine's owner likes."""
        listed = pathlib.Path("/var/lib/dpkg/alternatives", program)
        return listed.is_file() and any(line in self.files for line in listed.read_text().splitlines())

    def bring_module(self, module):
        spec = importlib.util.find_spec(module)
        origin = spec and (spec.origin or next(iter(spec.submodule_search_locations or []), None))
        if origin in ("built-in", "frozen") or origin in self.files:
            return True
        return bool(origin) and module in sys.stdlib_module_names and origin in standard_library()


@functools.cache
def standard_library():
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return set(output("dpkg-query", "-L", f"libpython{version}-minimal", f"libpython{version}-stdlib").splitlines())


@functools.cache
def is_program(word):
    return word in OFTEN_THERE or any(pathlib.Path(folder, word).is_file() for folder in ("/usr/bin", "/usr/sbin"))


@functools.cache
def shell_words():
    """Builtins and keywords."""
    return set(output("bash", "-c", "compgen -bk").split())


# ---- shell ----
def literal(word):
    """The text of a word that holds no variable; None for others."""
    text = ""
    for part in word["Parts"]:
        if part["Type"] == "DblQuoted":
            inner = literal({"Parts": part.get("Parts") or []})
            if inner is None:
                return None
            text += inner
        elif part["Type"] in ("Lit", "SglQuoted"):
            text += part.get("Value", "")
        else:
            return None
    return text


def before_program(word):
    """An option, a time or an assignment: what may stand between a wrapper and the program."""
    begin = word["Parts"][0].get("Value", "") if word["Parts"][0]["Type"] == "Lit" else ""
    return re.match(r"-|[\d.]+[smh]?$|\w+=", begin)


def nodes(tree):
    """Every node of shfmt's tree, from the outside in."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from nodes(branch)


def is_all_arguments(word):
    return any(node.get("Type") == "ParamExp" and node["Param"]["Value"] == "@" and not node.get("Exp")
               for node in nodes(word["Parts"]))


class Shell:
    """What a script calls: `calls` for sure; `mentions` are words given to functions that run their arguments."""

    def __init__(self, text, functions=(), runners=()):
        self.functions, self.runners, self.calls, self.mentions = set(functions), set(runners), set(), set()
        tree = json.loads(output("shfmt", "-tojson", input=text))
        for node in nodes(tree):
            if "Name" in node and "Body" in node:                   # a function
                self.functions.add(node["Name"]["Value"])
                if any(self.runs_arguments(call) for call in nodes(node["Body"]) if call.get("Type") == "CallExpr"):
                    self.runners.add(node["Name"]["Value"])
        for node in nodes(tree):
            if node.get("Type") == "CallExpr" and node.get("Args"):
                self.read_call(node["Args"])
        self.calls -= self.functions | shell_words()

    @staticmethod
    def runs_arguments(call):
        words = [w for w in call.get("Args") or [] if literal(w) not in WRAPPERS]
        return bool(words) and is_all_arguments(words[0])

    def read_call(self, words):
        texts = [literal(word) for word in words]
        name, rest = texts[0], texts[1:]
        if name is None:
            return
        self.calls.add(name)
        name = re.sub(r"^(/usr)?/s?bin/", "", name)
        if name in WRAPPERS:
            program = next((i for i, word in enumerate(words) if i and not before_program(word)), None)
            if program:
                self.read_call(words[program:])
        elif name in ("eval", "trap"):
            if rest and rest[0] and len(rest) > (name == "trap"):
                self.read_script(rest[0].lstrip("-"))
        elif name in ("sh", "bash", "dash"):
            for option, text in zip(rest, rest[1:]):
                if text and re.match(r"-\w*c$", option or ""):
                    self.read_script(text)
        elif name == "find" and any(text in ("-exec", "-execdir") for text in rest):
            self.calls |= {after for text, after in zip(rest, rest[1:]) if text in ("-exec", "-execdir") and after}
        elif name in self.runners:
            self.mentions |= {text for text in rest if text}

    def read_script(self, text):
        inner = Shell(text, self.functions, self.runners)
        self.calls |= inner.calls
        self.mentions |= inner.mentions


# ---- other languages: (calls, mentions) ----
def python_text(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    return None


def read_python(text):
    calls, mentions = set(), set()
    for node in ast.walk(ast.parse(text)):
        calls |= read_handlers(python_text(node) or "")
        if isinstance(node, (ast.List, ast.Tuple)) and len(node.elts) > 1:
            words = [python_text(each) for each in node.elts]
            if words[0]:
                mentions.add(words[0])
                if words[0] in ("sh", "bash") and words[1] == "-c" and len(words) > 2 and words[2]:
                    calls |= Shell(words[2]).calls
        if isinstance(node, ast.Call) and node.args:
            function, first = ast.unparse(node.func), node.args[0]
            starts = re.match(r"subprocess\.\w+$|os\.(exec|spawn|system|popen|posix_spawn)\w*$|shutil\.which$", function)
            words = [python_text(each) for each in first.elts] if isinstance(first, ast.List) else [python_text(first)]
            if starts and words and words[0]:
                calls |= {words[0]} if isinstance(first, ast.List) or function == "shutil.which" else Shell(words[0]).calls
    return calls, mentions


def python_modules(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


def read_c(text):
    calls = set(re.findall(r'\bexec(?:l|lp|le|v|vp|vpe)\s*\(\s*"([^"]+)"', text))
    calls |= set(re.findall(r'\bposix_spawnp?\s*\([^,]+,\s*"([^"]+)"', text))
    for command in re.findall(r'\b(?:popen|system)\s*\(\s*"((?:[^"\\]|\\.)*)"', text):
        calls |= Shell(command.encode().decode("unicode_escape")).calls
    return calls, set(re.findall(r'\[\]\s*(?:\)|=)\s*\{\s*"([^"]+)",', text))


def read_cmake(text):
    calls = set(re.findall(r"find_program\s*\(\s*\w+\s+(?:NAMES\s+)?([\w.-]+)", text))
    return calls, set(re.findall(r"\bCOMMAND\s+([\w./+-]+)", text))


def read_handlers(text):
    """`command = ...` of handlers, in INI files and inside strings and examples."""
    calls = set()
    for command in re.findall(r"^;?\s*command = (.+)$", text.replace("\\n", "\n"), re.MULTILINE):
        try:
            words = shlex.split(re.split(r"\s;|\"$", command)[0])
            calls |= Shell(shlex.join(words)).calls if words else set()
        except (ValueError, subprocess.CalledProcessError):
            continue                                        # cut where the string of another language ends
    return calls


def read_file(path, text, functions=(), runners=()):
    first = text.split("\n", 1)[0]
    calls = read_handlers(text) if path.suffix in (".ini", ".in", ".md") else set()
    mentions = read_handlers(text) if path.suffix == ".c" else set()        # many are only configuration to be parsed
    if first.startswith("#!/"):
        calls |= Shell(first[2:]).calls
    more = (set(), set())
    if path.suffix == ".sh" or re.match(r"#!/.*sh\b", first):
        shell = Shell(text, functions, runners)
        more = shell.calls, shell.mentions
    elif path.suffix == ".py":
        more = read_python(text)
    elif path.suffix in (".c", ".h"):
        more = read_c(text)
    elif path.name == "CMakeLists.txt" or path.suffix == ".cmake":
        more = read_cmake(text)
    elif path.suffix == ".md":
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            calls |= Shell(block).calls
    return calls | more[0], mentions | more[1]


def foreign(calls, mentions, packages):
    """The programs among them that no package brings."""
    programs = {word for word in calls} | {word for word in mentions if is_program(word.rsplit("/", 1)[-1])}
    names = set()
    for word in programs:
        if "/" in word and not re.match(r"(/usr)?/s?bin/", word):
            continue                                        # a file of ours, or one that is not meant to be there
        names.add(word.rsplit("/", 1)[-1])
    return sorted(n for n in names if re.match(r"[\w.+-]+$", n) and not OWN.match(n) and not packages.bring(n))


# ---- the check ----
def groups_of(root, entry):
    """What the entry point asks of deploy/deps; all groups when it names none."""
    if entry == "deploy/deps":
        return None
    line = re.search(r'deploy/deps"(.*)', (root / entry).read_text())[1]
    return re.findall(r"(?<!:\+)--\w+", line)


def check_itself(packages):
    """A check that finds nothing must be able to."""
    samples = {
        "a.sh": 'run() { "$@"; }\nfor x in 1; do curl -s x | jq . >/dev/null; done\nrun lsof; env A=$B C=d ss\n'
                'y=$(sudo gdb) || bash -c "xxd; sed s/a/b/" && trap "bc" EXIT\nfind . -exec file {} +\necho less; strace(){ :; }; strace',
        "b.py": 'import subprocess, os\nsubprocess.run(["curl", "x"])\nos.system("jq . | sed p")\nself.start("x", ["lsof", 1])\n'
                'subprocess.run("ss | cat", shell=True)\nX = "handler = exec\\ncommand = /usr/bin/xxd -p\\n"\nsubprocess.run(["sh", "-c", "bc"])',
        "c.c": 'execlp("curl", "curl"); popen("jq . | sed p", "r"); f((char *[]){ "lsof", "-i", NULL });',
        "d.md": "text curl\n```sh\n. x && jq . | kcat  # less\n```\n```ini\ncommand = /usr/bin/env wget\n```\n",
        "CMakeLists.txt": "find_program(X jq REQUIRED)\nadd_custom_command(COMMAND xxd -i COMMAND bgop_tables > x)",
    }
    expected = {"a.sh": "bc curl file gdb jq lsof ss sudo xxd", "b.py": "bc curl jq lsof ss xxd", "c.c": "curl jq lsof",
                "d.md": "jq wget", "CMakeLists.txt": "jq xxd"}
    for name, text in samples.items():
        found = [n for n in foreign(*read_file(pathlib.Path(name), text), packages) if n not in ("kcat",)]
        assert " ".join(found) == expected[name], f"{name}: {found}"
    assert not packages.bring_module("tkinter") and not packages.bring_module("nobody_has_this")
    assert packages.bring_module("json") and packages.bring_module("sys")


def pinned_modules(files, folder):
    """What the requirements.txt beside a program names: who runs it installs them into an environment of its own."""
    text = files.get(folder / "requirements.txt", "")
    return {name.replace("-", "_") for name in re.findall(r"^([A-Za-z0-9_-]+)==", text, re.MULTILINE)}


def all_files(root):
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts                # this file's samples call what nobody has
        if path.is_file() and parts[0] not in ("build", ".git") and path != pathlib.Path(__file__).resolve() and path.stat().st_size < 1 << 20:
            yield path


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    files = {path.relative_to(root): path.read_bytes().decode(errors="replace") for path in all_files(root)}
    own_modules = {path.stem for path in files if path.suffix == ".py"} | {"bgop"}      # bgop: generated from proto/
    scripts = [Shell(text) for path, text in files.items() if path.suffix == ".sh" or re.match(r"#!/.*sh\b", text)]
    functions = set().union(*(s.functions for s in scripts))
    runners = set().union(*(s.runners for s in scripts))
    called = {path: read_file(path, text, functions, runners) for path, text in files.items()}
    wrong = []
    for entry, patterns in ENTRY_POINTS.items():
        groups = groups_of(root, entry)
        named = [] if groups is None else output(root / "deploy/deps", "--list", *groups).split()
        packages = Packages(named)
        if packages.missing:
            print(f"not installed, so it is not known what they bring: {' '.join(packages.missing)}; run deploy/deps")
            return 77
        if entry == "deploy/deps":
            check_itself(packages)
        for path, text in files.items():
            if not any(fnmatch.fnmatch(path.as_posix(), pattern) for pattern in patterns):
                continue
            what = foreign(*called[path], packages)
            what = [each for each in what if each not in (WHERE_THERE | BY_CHOICE if path.suffix == ".md" else WHERE_THERE)]
            if path.suffix == ".py":
                what += [f"module {m}" for m in set(python_modules(text)) - own_modules - pinned_modules(files, path.parent)
                         if not packages.bring_module(m)]
            wrong += [f"{path}: {each} comes from no package that deploy/deps {' '.join(groups or [])} names, and {entry} needs it"
                      for each in what]
    print("\n".join(wrong) or f"{len(files)} files call only what is installed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
