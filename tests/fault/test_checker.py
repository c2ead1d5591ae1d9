#!/usr/bin/python3
"""The checker is checked first: a good history with every kind of thing in it, changed in one place, is flagged as just
that. A promise without such a change fails the test."""
import copy
import os
import sys
import tempfile
import unittest

import checker
from history import Entry, Execution, Fault, History, Observation, Submission, crc32c, read_book

ALPHABET = checker.ALPHABET


def operation_id(partition, offset, epoch="0"):
    number, text = partition << 43 | offset, ""
    for _ in range(9):
        number, digit = divmod(number, 62)
        text = ALPHABET[digit] + text
    return f"08P{epoch}00{text}AAA"


A, B, C, D, E, F, G, H, I = (operation_id(0, n) for n in range(9))        # noqa: E741
J = operation_id(0, 11)


def run(serial, operation, attempt, start, end, outcome="ok", leader=None, pid=None):
    return Execution(operation, (5 << 20) + attempt, attempt, serial, leader or operation, pid or serial * 10 + attempt,
                     start, 1e6 + start * 1000, end or start, end, outcome if end else None)


def good():
    """A: simple. B: fails twice, then succeeds. C and D: a sequence, in one group, C its leader. E: scheduled. F: removed.
    G: cancelled before it ran. H: no handler. I: its first attempt died with its worker. 9: poison. 10 repeats A.
    J: failed, but its worker died before it had said so."""
    h = History(noop_types=["Sweeper"], retention_ms={"XClean": 1000}, messages=12)

    def submit(serial, **more):
        more.setdefault("type", "WebCart")
        h.submissions.append(Submission(serial=serial, key="k", crc=1000 + serial, sent_at=1.0, acked_at=1.1, partition=0,
                                        offset=serial, parent="k", **more))
    submit(0), submit(1), submit(2, sequence="s", number=1), submit(3, sequence="s", number=2)
    submit(4, process_after_ms=1_004_000), submit(5, type="XClean"), submit(6, canceled=True), submit(7, type="Sweeper")
    submit(8), submit(9, refused="poison"), submit(10, name="n", repeats=0)
    submit(11)
    h.rejects = [(0, 9)]
    h.executions = [run(0, A, 1, 2.0, 2.1), run(1, B, 1, 2.0, 2.1, "error"), run(1, B, 2, 2.2, 2.3, "error"),
                    run(1, B, 3, 3.0, 3.1), run(2, C, 1, 4.0, 4.1, pid=77), run(3, D, 1, 4.2, 4.3, leader=C, pid=77),
                    run(4, E, 1, 4.01, 4.1), run(5, F, 1, 2.0, 2.1), run(8, I, 1, 5.0, None), run(8, I, 2, 12.0, 12.1),
                    run(11, J, 1, 5.0, 5.05, "error"), run(11, J, 2, 12.0, 12.1, "error"), run(11, J, 3, 12.12, 12.2)]
    h.faults = [Fault("kill", "worker-1", 5.1, 5.2)]

    def entry(kind, operation, attempt):
        h.entries.append(Entry(0, len(h.entries), kind, operation, (5 << 20) + attempt if attempt else 0))
    for x in h.executions:
        if x.outcome and (x.id, x.attempt) != (J, 1):
            entry(x.outcome, x.id, x.attempt)
    entry("ok", H, 1), entry("cancel", G, 0)

    def record(serial, operation, status, attempt, **more):
        h.records[operation] = dict({"Status": status, "Type": h.submissions[serial].type, "crc": str(1000 + serial),
                                     "token": str((5 << 20) + attempt), "ExpiresAt": "9", "tries": []}, **more)
    record(0, A, "Complete", 1)
    record(1, B, "Complete", 3, RetryCount="2", tries=[{"attempt": 1}, {"attempt": 2}])
    record(2, C, "Complete", 1), record(3, D, "Merged", 1, GroupLeaderId=C), record(4, E, "Complete", 1)
    record(6, G, "Canceled", 0), record(7, H, "Complete", 1), record(8, I, "Complete", 2, tries=[{"attempt": 1}])
    record(11, J, "Complete", 3, RetryCount="1", tries=[{"attempt": 1}, {"attempt": 2}])
    h.removed = {F: 1}
    h.observations = [Observation(A, "Running", False, 2.04, 2.05), Observation(A, "Complete", True, 2.2, 2.3),
                      Observation(A, "Complete", True, 6, 6.1), Observation(G, "Canceled", True, 2.2, 2.3)]
    h.totals = {"accepted": 10, "duplicates": 1, "rejected": 1}
    h.by_type = {"WebCart": {"Complete": 6, "Merged": 1, "Canceled": 1}, "Sweeper": {"Complete": 1}}
    return h


def of(h, operation):
    return [x for x in h.executions if x.id == operation]


def drop_record(h, operation):
    kind, status = h.records[operation]["Type"], h.records[operation]["Status"]
    del h.records[operation]
    h.by_type[kind][status] -= 1


def drop_entries(h, operation):
    h.entries = [e for e in h.entries if e.id != operation]


def set_status(h, operation, status):
    record = h.records[operation]
    h.by_type[record["Type"]][record["Status"]] -= 1
    h.by_type[record["Type"]][status] = h.by_type[record["Type"]].get(status, 0) + 1
    record["Status"] = status


def stuck(h):
    set_status(h, A, "Running")
    del h.records[A]["ExpiresAt"]
    h.observations = []


# promise: changes, each of which breaks it (and perhaps others along with it)
MUTATIONS = {
    "NO_LOSS": [lambda h: drop_record(h, H), stuck, lambda h: h.removed.clear()],
    "NO_INVENTION": [lambda h: h.records[A].update(crc="7"), lambda h: setattr(of(h, A)[0], "serial", 99)],
    "IDENTITY": [lambda h: setattr(of(h, A)[0], "serial", 1),
                 lambda h: h.records.update({operation_id(0, 0, "1"): dict(h.records[A])}),
                 lambda h: setattr(h.submissions[0], "repeats", 1)],
    "TOKEN_UNIQUE": [lambda h: setattr(of(h, B)[1], "token", of(h, B)[0].token)],
    "TOKEN_ORDER": [lambda h: setattr(of(h, B)[0], "token", of(h, B)[2].token + 1)],
    "EXCLUSION": [lambda h: setattr(of(h, I)[0], "seen_at", 12.05), lambda h: setattr(of(h, B)[0], "seen_at", 2.25)],
    "FINALITY": [lambda h: setattr(h.observations[2], "status", "Running"), lambda h: h.executions.append(run(0, A, 2, 7, 7.1)),
                 lambda h: drop_record(h, A), lambda h: set_status(h, A, "Error")],
    "CAUSE": [lambda h: setattr(of(h, A)[0], "outcome", "error"), lambda h: drop_entries(h, A), lambda h: drop_entries(h, H)],
    "RESULT_KEPT": [lambda h: set_status(h, C, "Error"), lambda h: set_status(h, B, "Canceled")],
    "COUNTED": [lambda h: h.records[I].update(tries=[])],
    "RETRY_TIME": [lambda h: setattr(of(h, B)[2], "start", 2.85)],
    "RETRY_COUNT": [lambda h: h.records[B].update(RetryCount="6")],
    "SCHEDULE": [lambda h: setattr(of(h, E)[0], "start_ms", 1_003_990)],
    "TIMEOUT": [lambda h: (setattr(h.submissions[4], "timeout_ms", 1000), setattr(of(h, E)[0], "seen_at", 8.0),
                           h.faults.clear())],
    "QUIET": [lambda h: h.doctor.append("fence of partition 0 is behind"), stuck],
    "GROUP": [lambda h: setattr(h.submissions[3], "parent", "other"), lambda h: h.records[D].update(GroupLeaderId=""),
              lambda h: set_status(h, C, "Error")],
    "SEQUENCE": [lambda h: setattr(of(h, D)[0], "start", 4.05), lambda h: (setattr(of(h, D)[0], "start", 3.0))],
    "TOTALS": [lambda h: h.totals.update(accepted=9), lambda h: h.by_type["WebCart"].update(Complete=5)],
    "CANCELED": [lambda h: h.executions.append(run(6, G, 1, 7, 7.1))],
    "RETENTION": [lambda h: h.removed.update({F: 2}), lambda h: h.removed.update({A: 1})],
    "REFUSED": [lambda h: h.rejects.clear(), lambda h: h.rejects.append((0, 1))],
}


class Checker(unittest.TestCase):
    def test_a_good_history_is_good(self):
        self.assertEqual(checker.check(good()), {})

    def test_each_change_is_flagged_as_what_it_breaks(self):
        self.assertEqual(set(MUTATIONS), set(checker.PROMISES), "every promise has a change that breaks it")
        for promise, changes in MUTATIONS.items():
            for number, change in enumerate(changes):
                history = copy.deepcopy(good())
                change(history)
                self.assertIn(promise, checker.check(history), f"change {number} of {promise}")

    def test_what_a_fault_explains_is_let_pass_near_it_only(self):
        for begin, passes in ((11.0, True), (100.0, False)):
            history = good()
            of(history, I)[0].seen_at = 12.05
            history.faults.append(Fault("stop", "worker-1", begin, begin + 1))
            self.assertEqual("EXCLUSION" not in checker.check(history), passes)

    def test_a_kill_explains_no_overlap(self):
        history = good()
        of(history, I)[0].seen_at = 12.05
        history.faults = [Fault("kill", "worker-1", 5.0, 12.0)]
        self.assertIn("EXCLUSION", checker.check(history))

    def test_a_clock_that_was_an_hour_ahead_excuses_nothing(self):
        for offset_ms, kept in ((10_000, True), (3_600_000, False)):
            h = good()
            h.faults.append(Fault("clock", "redis", 3.0, 3.0, {"offset_ms": offset_ms}))
            of(h, E)[0].start_ms = 999_000
            self.assertEqual("SCHEDULE" not in checker.check(h), kept, offset_ms)

    def test_a_failure_that_is_told_too_late_is_no_failed_attempt(self):
        h = good()
        first, second = (entry for entry in h.entries if entry.id == B and entry.kind == "error")
        of(h, B)[2].start = 2.45                # 0.15 s after the second end: enough for a first retry
        self.assertIn("RETRY_TIME", checker.check(h))
        first.token, second.token = second.token, first.token
        self.assertNotIn("RETRY_TIME", checker.check(h))

    def test_a_retry_is_not_measured_while_the_time_stands_still(self):
        for begin, offset_ms, kept in ((1.0, -3_600_000, True), (2.5, 10_000, True), (0.0, 3_600_000, False),
                                       (2.0, 3_600_000, True), (9.0, 10_000, False)):
            h = good()
            h.faults.append(Fault("clock", "redis", begin, begin, {"offset_ms": offset_ms}))
            of(h, B)[2].start = 2.85
            self.assertEqual("RETRY_TIME" not in checker.check(h), kept, (begin, offset_ms))

    def test_what_kafka_lost_before_it_was_recorded_is_not_our_loss(self):
        def cut(kept):
            history = good()
            drop_record(history, H)
            history.faults.append(Fault("kafka-tail", "submit", 1.5, 3, {"topic": "submit", "partition": 0, "kept": kept, "was": 11}))
            return checker.check(history)
        self.assertNotIn("NO_LOSS", cut(7))
        self.assertIn("NO_LOSS", cut(8), "it lies below what was kept")

    def test_an_epoch_tells_what_came_in_place_of_what_was_lost(self):
        history = good()
        history.submissions.append(Submission(serial=12, type="WebCart", key="k", crc=1012, sent_at=5.0, acked_at=5.1,
                                              partition=0, offset=0, parent="k"))
        history.faults.append(Fault("kafka-tail", "submit", 3.0, 4, {"topic": "submit", "partition": 0, "kept": 0, "was": 11}))
        again = operation_id(0, 0, "1")
        history.records[again] = dict(history.records[A], crc="1012")
        history.by_type["WebCart"]["Complete"] += 1
        history.executions.append(run(12, again, 1, 6.0, 6.1))
        history.entries.append(Entry(0, 99, "ok", again, (5 << 20) + 1))
        self.assertEqual(checker.check(history), {})
        history.executions[-1].id = A
        self.assertIn("IDENTITY", checker.check(history))

    def test_a_reject_may_be_of_what_stood_there_before_kafka_lost_it(self):
        def reject_h(cut_at):
            history = good()
            history.rejects.append((0, 7))
            cut = {"topic": "submit", "partition": 0, "kept": 7, "was": 9}
            history.faults.append(Fault("kafka-tail", "submit", cut_at - 0.1, cut_at, cut))
            return history
        self.assertEqual(checker.check(reject_h(0.9)), {})
        history = reject_h(0.9)
        drop_record(history, H)
        self.assertIn("REFUSED", checker.check(history), "it is not recorded")
        history = good()
        history.rejects.append((0, 7))
        self.assertIn("REFUSED", checker.check(history), "nothing was lost")

    def test_a_group_whose_outcome_was_lost_runs_again_in_order(self):
        history = good()
        history.executions += [run(2, C, 2, 6.0, 6.1), run(3, D, 2, 7.0, 7.1)]
        self.assertEqual(checker.check(history).get("SEQUENCE"), None)
        history.executions[-1].start = 6.05
        self.assertIn("SEQUENCE", checker.check(history))

    def test_a_trace_is_forgotten_by_a_rollback_soon_after_it_only(self):
        for begin, passes in ((13.0, True), (40.0, False)):
            history = good()
            history.records[I].update(tries=[])
            history.faults.append(Fault("redis-rollback", "redis", begin, begin + 1))
            self.assertEqual("COUNTED" not in checker.check(history), passes)

    def test_figures(self):
        figures = checker.figures(good())
        self.assertEqual(figures, {"operations": 10, "executions": 13, "reruns": 1, "duplicates": 0, "overlaps": 0})

    def test_a_history_is_the_same_after_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "history.json")
            good().save(path)
            self.assertEqual(History.load(path), good())

    def test_the_book(self):
        lines = (f"start 1000000 5000000 7 {A} 21 1 {A} 3 -\nalive 1100000 5100000 7 {A} 21 1 {A} 3 -\n"
                 f"start 1000500 5000500 8 {B} 22 1 {B} 4 -\nend 1200000 5200000 7 {A} 21 1 {A} 3 ok\n")
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(lines)
            file.flush()
            first, second = read_book(file.name)
        self.assertEqual((first.start, first.start_ms, first.end, first.outcome, first.seen_at), (1.0, 5000.0, 1.2, "ok", 1.2))
        self.assertEqual((second.id, second.end, second.seen_at), (B, None, 1.0005))

    def test_checksums_are_those_of_the_record(self):
        self.assertEqual(crc32c(b"123456789"), 0xe3069283)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
