#!/usr/bin/python3
"""Checks deploy/containers and deploy/kubernetes without an engine or a cluster: what they name is there (programs, files,
ports, probes, volumes, secrets), programs take their configuration, who is stopped has time to drain, nobody is root.
hadolint and the schemas of Kubernetes and of compose files are asked as well, where they can be installed (once, pinned,
into $BGOP_CACHE).

  tests/unit/containers.py TOP BIN-FOLDER     exit 1 and a line for each finding
"""
import configparser
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

TOP, BIN = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
CONTAINERS, KUBERNETES = TOP / "deploy/containers", TOP / "deploy/kubernetes"
PAGES = {"bgop-worker": "worker/daemon/status_page.c", "bgop-coordinator": "coordinator/http/endpoint.c"}
LISTEN = {"bgop-worker": ("worker", "listen"), "bgop-coordinator": ("http", "listen")}
# What a worker takes after drain_timeout_ms at most, in seconds: worker/daemon/worker.c.
AFTER_DRAIN = ("OPEN_CALLS_MS", "STOP_GRACE_MS", "FLUSH_MS", "SPANS_FLUSH_MS")
findings = []


def expect(is_so, what):
    if not is_so:
        findings.append(what)


# ---- configurations ----

def port_of(ini, program):
    return int(ini[LISTEN[program][0]][LISTEN[program][1]].rpartition(":")[2])


def read_ini(text, what):
    """As the programs read it; secrets' files are not there yet."""
    ini = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(";",))
    ini.read_string(text)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "bgop.ini")
        pathlib.Path(folder, "secret").write_text("a-secret\n")
        path.write_text(re.sub(r"/etc/bgop-secrets/\S+", f"{folder}/secret", text))
        for program in PAGES:
            done = subprocess.run([BIN / program, "--config", path, "--print-config"], capture_output=True, text=True,
                                  env={"PATH": os.environ["PATH"]})
            expect(done.returncode == 0, f"{what}: {program} does not take it: {done.stderr.strip()}")
    return ini


def drain_seconds(ini):
    text = (TOP / "worker/daemon/worker.c").read_text()
    after = [int(re.search(rf"\b{name} = (\d+)", text).group(1)) for name in AFTER_DRAIN]
    return (int(ini["worker"]["drain_timeout_ms"]) + sum(after)) / 1000


def seconds(duration):
    number, unit = re.fullmatch(r"(\d+)([sm])", duration).groups()
    return int(number) * {"s": 1, "m": 60}[unit]


def check_program(command, what):
    expect((BIN / command[0]).exists(), f"{what}: there is no program {command[0]}")
    return command[0]


def check_redis(words, what):
    """Settings on a command line are those of redis.conf, but for what is about the machine."""
    conf = dict(line.split(None, 1) for line in (TOP / "deploy/redis/redis.conf").read_text().splitlines()
                if line.strip() and not line.startswith("#"))
    for option, value in re.findall(r"--([a-z-]+) +(\S+)", words):
        if option in conf and option not in ("bind", "protected-mode"):
            expect(conf[option].strip('"') == value.strip("'"), f"{what}: {option} is {value}, in redis.conf {conf[option]}")


# ---- the image and compose ----

def check_dockerfile():
    text = re.sub(r"^#.*\n", "", (CONTAINERS / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    expect(all(stage.startswith("debian:12-slim") for stage in stages), "Dockerfile: a base is not Debian 12")
    for source in re.findall(r"^COPY (?:--\S+ )*(\S+) \S+$", text, re.MULTILINE):
        expect((TOP / source).exists(), f"Dockerfile: COPY of {source}, which is not there")
    for program in re.findall(r"^RUN (deploy/\S+)", text, re.MULTILINE):
        expect(os.access(TOP / program, os.X_OK), f"Dockerfile: {program} is no program")
    user = int(re.findall(r"^USER (\d+):\d+$", stages[-1], re.MULTILINE)[-1])
    expect(f"--uid {user} " in stages[-1] and user > 0, "Dockerfile: USER is not the user that it makes")
    return user


def check_compose():
    spec = yaml.safe_load((CONTAINERS / "compose.yaml").read_text())
    ini = read_ini((CONTAINERS / "queue.ini").read_text(), "queue.ini")
    services = spec["services"]
    version = re.search(r"<kafka.version>(.*)</kafka.version>", (TOP / "deploy/kafka/pom.xml").read_text()).group(1)
    expect(services["kafka"]["image"] == f"apache/kafka:{version}", f"compose: Kafka is not {version}, which is tested")
    check_redis(" ".join(services["redis"]["command"]), "compose")
    for name, service in services.items():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            expect(source in spec["volumes"] or (CONTAINERS / source).is_file(), f"compose: {name} mounts {source}: not there")
        for other in service.get("depends_on", ()):
            expect("healthcheck" in services[other], f"compose: {name} waits for {other}, which has no health check")
        for secret in service.get("secrets", ()):
            expect(secret in spec["secrets"], f"compose: {name} has a secret {secret}: not there")
        for port in service.get("ports", ()):
            expect(port.startswith("127.0.0.1:"), f"compose: {name} publishes {port} to everybody")
    for name, listen in (("coordinator", services["coordinator"]["environment"]["BGOP_HTTP_LISTEN"]),
                         ("worker", ini["worker"]["listen"])):
        service, port = services[name], listen.rpartition(":")[2]
        check_program(service["command"], f"compose: {name}")
        expect(service["healthcheck"]["test"] == ["CMD", "is-ready", port], f"compose: {name} is asked at another port")
        expect(service["cap_drop"] == ["ALL"] and service["read_only"], f"compose: {name} may too much")
    expect(seconds(services["worker"]["stop_grace_period"]) > drain_seconds(ini), "compose: a worker has no time to drain")


# ---- Kubernetes ----

def read_manifests():
    listed = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["resources"]
    there = {path.name for path in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
    expect(set(listed) == there, f"kustomization.yaml lists {listed}, there are {sorted(there)}")
    return [one for path in sorted(there) for one in yaml.safe_load_all((KUBERNETES / path).read_text())]


def check_pod(name, pod, maps):
    [container] = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    volumes = {volume["name"] for volume in pod.get("volumes", ())} | {"data"}
    expect({mount["name"] for mount in container["volumeMounts"]} <= volumes, f"{name}: mounts a volume that is not there")
    for volume in pod.get("volumes", ()):
        if "configMap" in volume:
            expect(volume["configMap"]["name"] in maps, f"{name}: there is no such ConfigMap: {volume}")
    safe, of_pod = container["securityContext"], pod["securityContext"]
    expect(of_pod["runAsNonRoot"] and of_pod["runAsUser"] > 0 and not safe["allowPrivilegeEscalation"] and
           safe["readOnlyRootFilesystem"] and safe["capabilities"] == {"drop": ["ALL"]}, f"{name}: may too much")
    expect(not pod["automountServiceAccountToken"], f"{name}: gets a token of the cluster")
    for kind in ("livenessProbe", "readinessProbe"):
        for way in ("httpGet", "tcpSocket"):
            port = container[kind].get(way, {}).get("port")
            expect(port is None or port in ports, f"{name}: {kind} asks a port that is not there: {port}")
    return container, ports


def check_deployment(one, ini, maps, user):
    name, template = one["metadata"]["name"], one["spec"]["template"]
    pod, labels = template["spec"], template["metadata"]["labels"]
    container, ports = check_pod(name, pod, maps)
    program = check_program(container["command"], name)
    page = (TOP / PAGES[program]).read_text()
    version = re.search(r"project\(\w+ VERSION ([0-9.]+)", (TOP / "CMakeLists.txt").read_text()).group(1)
    expect(container["image"] == f"bgop:{version}", f"{name}: its image is not of version {version}")
    expect(container["command"][1:] == ["--config", "/etc/bgop-config/bgop.ini"], f"{name}: another configuration")
    expect(list(ports.values()) == [port_of(ini, program)], f"{name}: its port is not that of the configuration")
    expect(template["metadata"]["annotations"]["prometheus.io/port"] == str(port_of(ini, program)), f"{name}: scraped elsewhere")
    expect(pod["securityContext"]["runAsUser"] == user, f"{name}: is not the image's user")
    for kind, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        expect(container[kind]["httpGet"]["path"] == path and f'"GET", "{path}"' in page, f"{name}: {kind} is not {path}")
    expect(one["spec"]["selector"]["matchLabels"] == labels, f"{name}: selects other pods than it makes")
    if program == "bgop-worker":
        expect(pod["terminationGracePeriodSeconds"] > drain_seconds(ini), f"{name}: has no time to drain")
    return labels


def check_kubernetes(user):
    manifests = read_manifests()
    of_kind = {}
    for one in manifests:
        of_kind.setdefault(one["kind"], {})[one["metadata"]["name"]] = one
    ini = read_ini(of_kind["ConfigMap"]["bgop"]["data"]["bgop.ini"], "config.yaml")
    labels = {name: check_deployment(one, ini, of_kind["ConfigMap"], user) for name, one in of_kind["Deployment"].items()}
    for name, one in of_kind["StatefulSet"].items():
        container, _ = check_pod(name, one["spec"]["template"]["spec"], of_kind["ConfigMap"])
        check_redis(" ".join(container["args"]), name)
        expect(one["spec"]["serviceName"] in of_kind["Service"], f"{name}: there is no service {one['spec']['serviceName']}")
        labels[name] = one["spec"]["template"]["metadata"]["labels"]
    expect(set(of_kind["PodDisruptionBudget"]) == set(of_kind["Deployment"]), "a Deployment has no disruption budget")
    for name, one in of_kind["PodDisruptionBudget"].items():
        expect(one["spec"]["selector"]["matchLabels"] == labels[name], f"{name}: the budget is for other pods")
    for name, one in of_kind["Service"].items():
        expect(one["spec"]["selector"] in labels.values(), f"service {name}: selects nobody")
    for secret in re.findall(r"/etc/bgop-secrets/(\S+)", of_kind["ConfigMap"]["bgop"]["data"]["bgop.ini"]):
        expect(f"--from-literal={secret}=" in (KUBERNETES / "README.md").read_text(), f"README.md makes no secret {secret}")


# ---- what others say ----

def linters():
    """The folder of their programs; None: they cannot be had here."""
    cache = os.environ.get("BGOP_CACHE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "bgop"
    wanted = TOP / "tests/unit/containers-linters.txt"
    folder = pathlib.Path(cache).expanduser() / f"linters-{hashlib.sha256(wanted.read_bytes()).hexdigest()[:12]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "complete").exists():
            return folder / "bin"
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["/usr/bin/python3", "-m", "venv", folder], check=True)
        done = subprocess.run([folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted],
                              capture_output=True, text=True)
        if done.returncode != 0:
            print(f"skipped: hadolint and the schemas cannot be installed: {done.stderr.strip()[-300:]}")
            return None
        (folder / "complete").touch()
        return folder / "bin"


def ask(what, *command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    expect(done.returncode == 0, f"{what}: {done.stdout.strip()} {done.stderr.strip()}")


def ask_linters():
    folder = linters()
    if not folder:
        return
    # DL3008: packages of a Debian release get security fixes only, and old ones are not kept.
    ask("hadolint", folder / "hadolint", "--no-color", "--ignore", "DL3008", CONTAINERS / "Dockerfile")
    ask("compose", folder / "python", "-c", "import compose_spec, sys; compose_spec.PyCompose.from_yaml(open(sys.argv[1])"
        ".read()).validate()", CONTAINERS / "compose.yaml")
    ask("kubernetes", folder / "kubernetes-validate", "--strict", "--quiet",
        *sorted(path for path in KUBERNETES.glob("*.yaml") if path.name != "kustomization.yaml"))


check_compose()
check_kubernetes(check_dockerfile())
ask_linters()
print("\n".join(findings) or "containers: fine")
sys.exit(bool(findings))
