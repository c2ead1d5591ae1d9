"""Judges a history (history.py): what the queue promised against what everybody outside saw. Knows nothing of how a run
was made. The names are those of the simulation's checker (tests/simulation/checker.h) where both say the same; README.md
says why these are two programs.

    found = check(history)          {} when every promise was kept, else promise -> what was wrong, line by line
"""
import collections

from history import INFINITE

FINAL = {"Complete", "Error", "Canceled", "Merged"}
SLACK_S = 0.005
FORGOTTEN_S = 10                # as far back as Redis may have lost what it answered, with a disk that takes 3 s to sync
TIMEOUT_SLACK_S = 2.5           # SIGTERM, 2 s, SIGKILL
CLOCK_GAP_MS = 15000            # Redis' clock may leap by so much and is believed: common/record/health.h
CLOCK_SETTLED_S = 2             # a tick of a shard that is at work, and some
FAILED = {"error", "crashed", "timed_out", "unanswered"}

# What a fault may be, and what it may explain beside a second execution of what was running:
#   overlap    two executions of one operation at a time, or one that begins late, out of order
#   forgotten  an execution of which Redis and the logs know nothing any more
#   slow       what has to be in time is late
FAULTS = {
    "kill": {"slow"},                               # SIGKILL of a process
    "stop": {"overlap", "slow"},                    # SIGSTOP, and SIGCONT
    "redis-rollback": {"overlap", "forgotten", "slow"},
    "redis-failover": {"overlap", "forgotten", "slow"},     # a replica has the place of its primary
    "redis-down": {"slow"},
    "redis-empty": {"overlap", "forgotten", "slow"},
    "redis-full": {"slow"},
    "kafka-down": {"slow"},
    "shard-moved": {"slow"},                        # a slot of a cluster, to another server
    "broker-restart": {"slow"},                     # of three
    "kafka-tail": {"overlap", "forgotten", "slow"},
    "link": {"overlap", "slow"},
    "clock": {"overlap", "slow"},
    "handler": {"slow"},
    "load": {"slow"},
}

PROMISES = {
    "NO_LOSS": "what Kafka acknowledged (and kept) is recorded and final, or was final and removed in its time",
    "NO_INVENTION": "every record and every execution belongs to a submission, byte for byte",
    "IDENTITY": "no Id names two operations, and no operation has two",
    "TOKEN_UNIQUE": "no two executions of an operation have the same token",
    "TOKEN_ORDER": "tokens of an operation's executions rise",
    "EXCLUSION": "executions of an operation overlap only where a worker stood still or Redis went backwards",
    "FINALITY": "what was seen final stays so and does not run again",
    "CAUSE": "what is Complete has an execution that succeeded, and its entry in the status log",
    "RESULT_KEPT": "a success in the status log is the operation's end, unless something logged before it was",
    "COUNTED": "every further execution left a trace: a failed attempt, a lost lease, an entry in the log",
    "RETRY_TIME": "retry k begins (2^k - 1) * R after the failure before it, or later",
    "RETRY_COUNT": "RetryCount is at most RetryLimit",
    "SCHEDULE": "nothing begins before ProcessAfter",
    "TIMEOUT": "no execution outlives its Timeout by more than two seconds and a half",
    "QUIET": "in the end nothing waits or runs, and doctor finds nothing wrong",
    "GROUP": "an execution's members are of one Type and ParentKey; a Merged operation's leader completed",
    "SEQUENCE": "members of a sequence group run in the order of their numbers, never two at a time",
    "TOTALS": "accepted + duplicates + rejected = messages, and counters agree with the records",
    "CANCELED": "what was seen Canceled does not begin to run",
    "RETENTION": "nothing is removed before its time, and each removal is listed once",
    "REFUSED": "what must be refused is, with its reject, and nothing else",
}


class Check:
    def __init__(self, history):
        self.h = history
        self.found = collections.defaultdict(list)
        self.by_coordinates = collections.defaultdict(list)
        self.by_serial = {s.serial: s for s in history.submissions}
        for submission in history.submissions:
            if submission.offset is not None:
                self.by_coordinates[submission.partition, submission.offset].append(submission)
        self.runs = collections.defaultdict(list)
        for execution in sorted(history.executions, key=lambda x: x.start):
            self.runs[execution.id].append(execution)
        self.logged = collections.defaultdict(list)
        for entry in history.entries:
            self.logged[entry.id].append(entry)
        self.record_of, self.submission_of = {}, {}
        self.join()

    def wrong(self, promise, text):
        self.found[promise].append(text)

    def explained(self, effect, begin, end):
        """Was there a fault that has this effect, and had not passed (a lease's time and some seconds) at begin?"""
        grace = self.h.lease_s + 15
        return any(effect in FAULTS[f.kind] and f.begin <= end and f.end + grace >= begin for f in self.h.faults)

    def time_was_off(self, begin, end):
        """Did the queue's time stand still or leap between these? It stands while Redis' clock is behind it, and until a
        coordinator has settled a jump; and it leaps with one that is believed."""
        jumps = [f for f in self.h.faults if f.kind == "clock" and f.target == "redis"]
        for jump, after in zip(jumps, [f.begin for f in jumps[1:]] + [INFINITE]):
            offset_ms = jump.detail["offset_ms"]
            until = jump.begin if offset_ms == 0 or offset_ms > CLOCK_GAP_MS else after + max(offset_ms, 0) / 1000
            if jump.begin <= end and begin <= until + CLOCK_SETTLED_S:
                return True
        return False

    # ---- who is who ----
    def join(self):
        """A record belongs to the submission with its coordinates and its checksum: epochs tell apart what Kafka put in
        place of what it lost."""
        for operation, record in self.h.records.items():
            candidates = self.by_coordinates.get(coordinates_of(operation), [])
            same = [s for s in candidates if s.crc == int(record.get("crc", -1))]
            unknown = [] if same else [s for s in self.h.submissions
                                       if s.acked_at is None and s.crc == int(record.get("crc", -1))]
            if not same and not unknown:
                self.wrong("NO_INVENTION", f"{operation} is recorded, and nobody submitted it")
                continue
            submission = (same or unknown)[0]
            if submission.serial in self.record_of:
                self.wrong("IDENTITY", f"{operation} and {self.record_of[submission.serial]} are one submission")
            self.record_of[submission.serial] = operation
            self.submission_of[operation] = submission
        # Of what was removed the checksum is gone: what it ran with tells, else its Type, else the lower epoch was first.
        for operation in sorted(set(self.h.removed) - set(self.submission_of)):
            ran = {x.serial for x in self.runs.get(operation, ())}
            candidates = [s for s in self.by_coordinates.get(coordinates_of(operation), [])
                          if s.serial not in self.record_of]
            candidates.sort(key=lambda s: (s.serial not in ran, s.type not in self.h.retention_ms))
            if candidates:
                self.submission_of[operation] = candidates[0]
                self.record_of.setdefault(candidates[0].serial, operation)

    def cuts_at(self, submission):
        """When Kafka lost what stood where this submission stands, itself or another before it."""
        return [f.end for f in self.h.faults if f.kind == "kafka-tail" and f.detail.get("topic") == "submit" and
                f.detail["partition"] == submission.partition and f.detail["kept"] <= submission.offset < f.detail["was"]]

    def lost_by_kafka(self, submission):
        return any(submission.sent_at <= end for end in self.cuts_at(submission))

    def in_place_of_another(self, submission):
        return any(end < submission.sent_at for end in self.cuts_at(submission))

    # ---- the records ----
    def check_loss(self):
        for s in self.h.submissions:
            if s.acked_at is None or s.refused or s.repeats is not None:
                continue
            operation = self.record_of.get(s.serial)
            if operation is None:
                if not self.lost_by_kafka(s):
                    self.wrong("NO_LOSS", f"submission {s.serial} ({s.type}, partition {s.partition} offset {s.offset}) "
                                          "is not recorded")
                continue
            record = self.h.records.get(operation)
            if record is not None and not is_final(record):
                self.wrong("NO_LOSS", f"{operation} is {record.get('Status')} in the end")

    def check_identity(self):
        for operation, runs in self.runs.items():
            serials = {x.serial for x in runs}
            if len(serials) > 1:
                self.wrong("IDENTITY", f"{operation} ran as submissions {sorted(serials)}")
            submission = self.submission_of.get(operation)
            for serial in serials:
                if serial not in self.by_serial:
                    self.wrong("NO_INVENTION", f"{operation} ran with a payload ({serial}) that nobody submitted")
                elif submission and submission.serial != serial:
                    self.wrong("IDENTITY", f"{operation} ran as submission {serial}, is recorded as {submission.serial}")
                elif operation not in self.h.records and operation not in self.h.removed:
                    self.wrong("NO_LOSS", f"{operation} ran (submission {serial}) and is not recorded")

    def check_refused(self):
        refused = set(self.h.rejects)
        for s in self.h.submissions:
            if s.acked_at is None or self.lost_by_kafka(s):
                continue
            at = (s.partition, s.offset)
            if s.refused and s.serial in self.record_of:
                self.wrong("REFUSED", f"submission {s.serial} ({s.refused}) is recorded")
            if s.refused and at not in refused:
                self.wrong("REFUSED", f"submission {s.serial} ({s.refused}) has no reject")
            another = any(other.refused for other in self.by_coordinates[at])
            # Whom Kafka lost, nobody need have been told of: then the record says who was refused.
            another = another or self.in_place_of_another(s) and s.serial in self.record_of
            if not s.refused and at in refused and not another:
                self.wrong("REFUSED", f"submission {s.serial} was good and was refused")
            if s.repeats is not None and s.serial in self.record_of:
                self.wrong("IDENTITY", f"submission {s.serial} repeats {s.repeats} and is recorded a second time")

    def check_end(self):
        for operation, record in self.h.records.items():
            if not is_final(record):
                self.wrong("QUIET", f"{operation} is {record.get('Status')} in the end")
            submission = self.submission_of.get(operation)
            if submission and int(record.get("RetryCount", 0)) > submission.limit:
                self.wrong("RETRY_COUNT", f"{operation}: {record['RetryCount']} retries of {submission.limit}")
        for line in self.h.doctor:
            self.wrong("QUIET", f"doctor: {line}")

    def check_totals(self):
        """Kafka's tail takes messages away that were counted: what it has then says nothing about the counters."""
        t = self.h.totals
        if t and not any(f.kind in ("kafka-tail", "redis-empty") for f in self.h.faults):
            sum_ = t["accepted"] + t["duplicates"] + t["rejected"]
            if sum_ != self.h.messages:
                self.wrong("TOTALS", f"{self.h.messages} messages; {t['accepted']} accepted + {t['duplicates']} duplicates "
                                     f"+ {t['rejected']} rejected = {sum_}")
        counted = collections.Counter((r.get("Type"), r.get("Status")) for r in self.h.records.values())
        stated = {(kind, status): n for kind, of in self.h.by_type.items() for status, n in of.items() if n}
        if self.h.by_type and stated != dict(counted):
            self.wrong("TOTALS", f"bgop_stats counts {stated}, recorded are {dict(counted)}")

    def check_retention(self):
        for operation, times in self.h.removed.items():
            if times != 1:
                self.wrong("RETENTION", f"{operation} is listed {times} times among the removed")
            if operation in self.h.records:
                self.wrong("RETENTION", f"{operation} is listed as removed and is there")
            submission = self.submission_of.get(operation)
            if submission and submission.type not in self.h.retention_ms:
                self.wrong("RETENTION", f"{operation} ({submission.type}) was removed before its time")

    # ---- the executions ----
    def check_tokens(self):
        for operation, runs in self.runs.items():
            tokens = [x.token for x in runs]
            if len(set(tokens)) != len(tokens):
                self.wrong("TOKEN_UNIQUE", f"{operation} ran with tokens {tokens}")
            for a, b in zip(runs, runs[1:]):
                if b.token < a.token and not self.explained("overlap", a.start, b.start):
                    self.wrong("TOKEN_ORDER", f"{operation}: token {b.token} began after {a.token}")

    def overlaps(self):
        """(operation, earlier, later): the earlier one gave a sign of life after the later one began."""
        for operation, runs in self.runs.items():
            for i, a in enumerate(runs):
                for b in runs[i + 1:]:
                    if a.token != b.token and a.seen_at > b.start:
                        yield operation, a, b

    def check_exclusion(self):
        for operation, a, b in self.overlaps():
            if not self.explained("overlap", a.start, a.seen_at):
                self.wrong("EXCLUSION", f"{operation}: attempt {a.attempt} ran until {a.seen_at:.3f}, attempt {b.attempt} "
                                        f"began at {b.start:.3f}")

    def check_retries(self):
        for operation, runs in self.runs.items():
            submission, failures = self.submission_of.get(operation), 0
            if submission is None:
                continue
            # A failure that its worker took with it when it died, or told of behind a later attempt, is a lost lease to the
            # queue, and no failed attempt.
            reported, newest = set(), 0
            for entry in self.logged[operation]:
                newest = max(newest, entry.token)
                if entry.kind in FAILED and entry.token == newest:
                    reported.add(entry.token)
            for a, b in zip(runs, runs[1:]):
                failures += a.token in reported
                if (a.token not in reported or failures < 2 or self.explained("forgotten", a.start, b.start)
                        or self.time_was_off(a.end, b.start)):
                    continue
                least = (2 ** failures - 1) * submission.backoff_ms / 1000
                if b.start - a.end < least - SLACK_S:
                    self.wrong("RETRY_TIME", f"{operation}: retry {failures} after {b.start - a.end:.3f} s, not {least:.3f}")

    def redis_offset_ms(self, moment):
        """How far Redis' clock was shifted at most until then, and believed: the queue's time never goes back."""
        return max([0] + [f.detail["offset_ms"] for f in self.h.faults
                          if f.kind == "clock" and f.target == "redis" and f.begin <= moment
                          and f.detail["offset_ms"] <= CLOCK_GAP_MS])

    def check_schedule(self):
        for operation, runs in self.runs.items():
            submission = self.submission_of.get(operation)
            if submission is None or submission.process_after_ms is None:
                continue
            early = submission.process_after_ms - runs[0].start_ms - self.redis_offset_ms(runs[0].start)
            if early > SLACK_S * 1000:
                self.wrong("SCHEDULE", f"{operation} began {early:.0f} ms before its ProcessAfter")

    def check_timeouts(self):
        for operation, runs in self.runs.items():
            submission = self.submission_of.get(operation)
            for x in runs if submission else []:
                most = submission.timeout_ms / 1000 + TIMEOUT_SLACK_S
                if x.seen_at - x.start > most and not self.explained("slow", x.start, x.seen_at):
                    self.wrong("TIMEOUT", f"{operation}: attempt {x.attempt} lived for {x.seen_at - x.start:.1f} s of {most:.1f}")

    def check_sequences(self):
        groups = collections.defaultdict(list)
        for operation, submission in self.submission_of.items():
            if submission.sequence and operation in self.runs:
                groups[submission.type, submission.parent, submission.sequence].append((submission, operation))
        for members in groups.values():
            members.sort(key=lambda m: (m[0].number, m[1]))
            for i, (first, a) in enumerate(members):
                for second, b in members[i + 1:]:
                    self.check_pair(first, self.runs[a], second, self.runs[b])

    def check_pair(self, first, before, second, after):
        """Only what is surely known when the second is claimed holds it: what its own partition brought before it."""
        if None in (first.offset, second.offset) or first.partition != second.partition:
            return                      # never acknowledged: where it lies is not known
        if first.offset > second.offset or first.number == second.number:
            return
        for y in after:
            # Both were in one execution, in their order; when its outcome was lost, both run again.
            together = any((x.leader, x.pid) == (y.leader, y.pid) and x.seen_at <= y.start for x in before)
            for x in [] if together else before:
                if x.seen_at > y.start and not self.explained("overlap", x.start, x.seen_at):
                    self.wrong("SEQUENCE", f"{y.id} (number {second.number}) began at {y.start:.3f}, {x.id} (number "
                                           f"{first.number}) began at {x.start:.3f} and ran until {x.seen_at:.3f}")

    # ---- the log ----
    def check_causes(self):
        for operation, record in self.h.records.items():
            if record.get("Status") not in ("Complete", "Merged"):
                continue
            submission, runs = self.submission_of.get(operation), self.runs.get(operation, [])
            if submission and submission.type not in self.h.noop_types and not any(x.outcome == "ok" for x in runs):
                self.wrong("CAUSE", f"{operation} is {record['Status']}, and no execution of it succeeded")
            if not any(e.kind == "ok" for e in self.logged[operation]) and not self.explained("forgotten", 0, INFINITE):
                self.wrong("CAUSE", f"{operation} is {record['Status']}, and the status log has no success of it")

    def check_results(self):
        """A success behind an entry that may have ended the operation need not be its end."""
        for operation, entries in self.logged.items():
            record, submission, failures, crashes = self.h.records.get(operation), self.submission_of.get(operation), 0, 0
            if record is None or submission is None or record.get("Status") in ("Complete", "Merged"):
                continue
            for entry in entries:
                failures += entry.kind in FAILED
                crashes = crashes + 1 if entry.kind == "crashed" else 0
                if entry.kind == "ok":
                    self.wrong("RESULT_KEPT", f"{operation} succeeded (token {entry.token}) and is {record.get('Status')}")
                if entry.kind in ("ok", "cancel", "permanent", "lost") or failures > submission.limit or crashes == 3:
                    break

    def check_counted(self):
        """Each execution but the one that the record ends with: a failed attempt, a lost lease or an entry of the log
        names it."""
        for operation, runs in self.runs.items():
            record = self.h.records.get(operation)
            if record is None or len(runs) < 2:
                continue
            known = {e.token for e in self.logged[operation]} | {int(record.get("token", 0))}
            attempts = {t["attempt"] for t in record.get("tries", [])}
            for x in runs:
                if x.token not in known and x.attempt not in attempts and \
                        not self.explained("forgotten", x.start, max(x.seen_at, runs[-1].start) + FORGOTTEN_S):
                    self.wrong("COUNTED", f"{operation}: attempt {x.attempt} (token {x.token}) left no trace")

    def check_groups(self):
        executions = collections.defaultdict(list)
        for x in self.h.executions:
            executions[x.leader, x.pid].append(x)
        for members in executions.values():
            lanes = {(s.type, s.parent) for s in (self.submission_of.get(x.id) for x in members) if s}
            if len(members) > 1 and len(lanes) > 1:
                self.wrong("GROUP", f"one execution had members of {sorted(map(str, lanes))}")
        for operation, record in self.h.records.items():
            leader = record.get("GroupLeaderId")
            if record.get("Status") != "Merged":
                continue
            if not leader or self.h.records.get(leader, {"Status": "Complete"}).get("Status") != "Complete":
                self.wrong("GROUP", f"{operation} is Merged, its leader {leader} is not Complete")

    # ---- what pollers saw ----
    def check_observations(self):
        seen = {}
        for o in sorted(self.h.observations, key=lambda o: o.answered_at):
            before = seen.get(o.id)
            if before and o.asked_at > before.answered_at and o.status != before.status and \
                    {o.status, before.status} != {"Complete", "Merged"}:
                self.wrong("FINALITY", f"{o.id} was {before.status} at {before.answered_at:.3f}, {o.status} at "
                                       f"{o.answered_at:.3f}")
            if o.final and before is None:
                seen[o.id] = o
        for operation, o in seen.items():
            for x in self.runs.get(operation, []):
                if x.start > o.answered_at and not self.explained("overlap", o.answered_at, x.start):
                    promise = "CANCELED" if o.status == "Canceled" else "FINALITY"
                    self.wrong(promise, f"{operation} was {o.status} at {o.answered_at:.3f} and ran at {x.start:.3f}")
            final = self.h.records.get(operation)
            if final is None and operation not in self.h.removed:
                self.wrong("FINALITY", f"{operation} was {o.status} and is gone")
            if final and final.get("Status") != o.status and {final.get("Status"), o.status} != {"Complete", "Merged"}:
                self.wrong("FINALITY", f"{operation} was {o.status} and is {final.get('Status')} in the end")


ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def coordinates_of(operation):
    number = 0
    for digit in operation[6:15]:
        number = number * 62 + ALPHABET.index(digit)
    return number >> 43, number & (1 << 43) - 1


def is_final(record):
    return record.get("Status") in FINAL and bool(record.get("ExpiresAt"))


def check(history):
    checking = Check(history)
    for name in sorted(dir(checking)):
        if name.startswith("check_") and name != "check_pair":
            getattr(checking, name)()
    assert set(checking.found) <= set(PROMISES)
    return dict(checking.found)


def figures(history):
    """The numbers that a run prints."""
    checking = Check(history)
    succeeded = collections.Counter(x.id for x in history.executions if x.outcome == "ok")
    reruns = 0
    for operation, runs in checking.runs.items():
        submission = checking.submission_of.get(operation)
        for x in runs[:-1]:         # had it failed, or been ended at its Timeout, the next one would be a retry
            timed_out = submission and x.outcome is None and x.seen_at - x.start > submission.timeout_ms / 1000 - 0.5
            reruns += x.outcome in (None, "ok") and not timed_out
    return {
        "operations": len(history.records) + len(set(history.removed) - set(history.records)),
        "executions": len(history.executions),
        "reruns": reruns,
        "duplicates": sum(n > 1 for n in succeeded.values()),
        "overlaps": sum(1 for _ in checking.overlaps()),
    }
