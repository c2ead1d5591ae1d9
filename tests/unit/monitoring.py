#!/usr/bin/env python3
"""Checks deploy/monitoring: promtool accepts the rules, their tests, the configuration and what we print; and every metric
and label that a rule, panel or trigger names is one of common/metrics/metrics_table.h.

  tests/unit/monitoring.py TOP BUILD     exit 1 and a line for each finding; 77: promtool is not installed
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROW = re.compile(r'XX\((\w+), (\w+), (\w+), "([a-z_]+)", "(\w*)", "(\w*)",')
METRIC = re.compile(r"\b(?:bgop|process)_[a-z_]+\b")
BEHIND = {"histogram": ("_bucket", "_sum", "_count")}
OTHERS_LABELS = {"instance", "job", "le"}
SELECTOR = re.compile(r"\b((?:bgop|process)_[a-z_]+)\{([^}]*)\}")
LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')


def table(top):
    """{sample's name: its labels}, from the table in C."""
    known = {}
    for _, _, kind, name, first, second in ROW.findall((top / "common/metrics/metrics_table.h").read_text()):
        for behind in BEHIND.get(kind.lower(), ("",)):
            known[name + behind] = {label for label in (first, second) if label}
    return known


def values(top):
    """{label: what it may be}, for the labels whose values are in tables of ours."""
    def listed(path, macro, pattern):
        text = (top / path).read_text()
        return set(re.findall(pattern, text[text.index(f"#define {macro}(XX)"):].split("\n\n")[0]))
    return {
        "what": listed("common/record/health.h", "HEALTH_KINDS", r'XX\(\w+, "([^"]+)"'),
        "status": listed("common/record/tables.h", "RECORD_STATUSES", r"XX\(\w+,\s*(\w+)"),
        "state": listed("common/record/actions.h", "ACTION_STATES", r"XX\((\w+),"),
        "cause": listed("common/metrics/queue_metrics.h", "WAIT_CAUSES", r"XX\((\w+),"),
        "mode": {"OPEN", "RECOVERING", "EMPTY"},
        "log": {"submit", "status"},
        "server": {"redis", "kafka"},
    }


def expressions(folder):
    """(file, text) of everything that asks Prometheus."""
    for name in ("alerts.yml", "alerts_test.yml", "keda.yaml", "README.md", "prometheus.yml"):
        yield name, (folder / name).read_text()
    for panel in json.loads((folder / "grafana.json").read_text())["panels"]:
        for target in panel.get("targets", []):
            yield f"grafana.json, {panel['title']}", target["expr"]


def check_names(top, folder):
    known, allowed = table(top), values(top)
    for where, text in expressions(folder):
        for name in METRIC.findall(text):
            if name not in known:
                yield f"{where}: no metric {name}"
        for name, selector in SELECTOR.findall(text):
            for label, value in LABEL.findall(selector):
                if label not in known.get(name, set()) | OTHERS_LABELS:
                    yield f"{where}: {name} has no label {label}"
                for one in value.split("|") if label in allowed else []:
                    if one not in allowed[label]:
                        yield f'{where}: no {label} "{one}"'


def check_all_are_tested(folder):
    alerts = re.findall(r"- alert: (\w+)", (folder / "alerts.yml").read_text())
    tests = (folder / "alerts_test.yml").read_text()
    page = (folder / "README.md").read_text()
    for alert in alerts:
        if not re.search(rf"alertname: {alert}\n\s+exp_alerts:", tests):
            yield f"alerts_test.yml: nothing sets off {alert}"
        if not re.search(rf"\{{eval_time: \w+, alertname: {alert}\}}", tests):
            yield f"alerts_test.yml: no case in which {alert} is silent"
        if f"`{alert}`" not in page:
            yield f"README.md: does not say what to do about {alert}"


def promtool(folder, *words, given=None):
    done = subprocess.run(["promtool", *words], cwd=folder, input=given, text=True, capture_output=True)
    if done.returncode != 0:
        yield f"promtool {' '.join(words)}: {done.stdout}{done.stderr}"


def check_rules(folder):
    """In a copy, since Prometheus wants the token's file to be there."""
    with tempfile.TemporaryDirectory(prefix="bgop-monitoring-") as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        config = pathlib.Path(copy, "prometheus.yml")
        token = pathlib.Path(copy, "token")
        token.write_text("secret\n")
        config.write_text(re.sub(r"(credentials_file: ).*", rf"\g<1>{token}", config.read_text()))
        yield from promtool(copy, "check", "rules", "alerts.yml")
        yield from promtool(copy, "test", "rules", "alerts_test.yml")
        yield from promtool(copy, "check", "config", "prometheus.yml")


def check_panels(folder):
    """Each expression as a rule of its own: promtool knows what Grafana would send."""
    rules = [f"      - record: panel:{number}\n        expr: {json.dumps(text.replace('$__rate_interval', '5m'))}\n"
             for number, (where, text) in enumerate(expressions(folder)) if where.startswith("grafana.json")]
    with tempfile.TemporaryDirectory(prefix="bgop-monitoring-") as copy:
        pathlib.Path(copy, "panels.yml").write_text("groups:\n  - name: panels\n    rules:\n" + "".join(rules))
        yield from promtool(copy, "check", "rules", "panels.yml")


def check_page(build):
    """What our own writer prints, with every metric in it."""
    page = subprocess.run([build / "bin/unit_test_metrics", "--sample"], check=True, capture_output=True, text=True).stdout
    yield from promtool(build, "check", "metrics", given=page)


def main():
    top, build = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
    folder = top / "deploy/monitoring"
    if not shutil.which("promtool"):
        print("promtool is not installed: deploy/deps --test")
        sys.exit(77)
    findings = [*check_names(top, folder), *check_all_are_tested(folder), *check_rules(folder), *check_panels(folder),
                *check_page(build)]
    print("\n".join(findings) if findings else "monitoring: rules, panels, triggers and pages name what there is")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
