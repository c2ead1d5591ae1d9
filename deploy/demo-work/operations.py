"""What the demonstration submits, and how each operation is expected to end."""
import base64
import dataclasses
import hashlib
import json
import pathlib
import random
import time

import web_server

SCHEDULE_S = 2


def payload_members(payload):
    """JSON as itself, other text as a string, bytes as base64."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return {"PayloadBase64": base64.b64encode(payload).decode()}
    try:
        return {"Payload": json.loads(text)}
    except ValueError:
        return {"Payload": text} if text else {}


@dataclasses.dataclass
class Operation:
    number: int
    type: str
    parent: str
    payload: bytes
    status: str = "Complete"
    result: bytes = None            # of out:<Id>; None: it has none
    error: str = None               # Error contains it
    retries: int = 0                # RetryCount is this at least
    process_after_ms: int = None
    made: tuple = None              # (file, bytes): a gzip file that the work leaves behind
    name: str = None
    producer: str = None
    id: str = None

    def as_json(self):
        """One line of JSON, as any producer may send it."""
        members = {"Type": self.type, "ParentKey": self.parent, "Name": self.name}
        if self.process_after_ms:
            members["ProcessAfter"] = self.process_after_ms
        members.update(payload_members(self.payload))
        return json.dumps(members)


class Maker:
    """Makes operations by number: the same number is always the same work."""

    def __init__(self, folder):
        self.pages = pathlib.Path(folder) / "pages"
        self.pages.mkdir(parents=True, exist_ok=True)
        kinds = [self.callback, self.cart, self.clean, self.checksum, self.publish, self.metadata, self.upsert,
                 self.upsert, self.callback, self.sweep]
        self.kinds = kinds

    def make(self, number):
        rng = random.Random(number)
        operation = self.kinds[number % len(self.kinds)](number, f"customer-{number % 37}", rng)
        operation.name = f"demo-{number}"
        return operation

    def callback(self, number, parent, rng):
        trouble = rng.choices([None, "500", "429", "silence", "refuse"], [12, 2, 2, 1, 1])[0]
        body = {"text": f"event {number}", "trouble": trouble}
        operation = Operation(number, "ExternalServiceCallback", parent, json.dumps(body).encode())
        if trouble == "refuse":
            operation.status, operation.error = "Error", "400"
        else:
            operation.result = web_server.callback_answer(body).encode()
            operation.retries = 1 if trouble else 0
        return operation

    def cart(self, number, parent, rng):
        lines = [{"count": rng.randint(1, 9), "price": rng.randint(100, 9999)} for _ in range(rng.randint(1, 5))]
        cart = {"cart": number, "lines": lines}
        return Operation(number, "WebCart", parent, json.dumps(cart).encode(),
                         result=json.dumps(web_server.cart_total(cart)).encode())

    def clean(self, number, parent, rng):
        rows = [(f"name {rng.randint(1, 999)}", rng.choice(["Lyon", "Porto", "Graz"]), rng.randint(1, 500))
                for _ in range(rng.randint(2, 20))]
        if rng.random() < 0.08:
            return Operation(number, "XClean", parent, b"only,two\n", status="Error", error="has 2 columns")
        text = "".join(f" {name} ,{city}  ,{amount}\n" for name, city, amount in rows)
        cleaned = "".join(f"{name.upper()},{city.upper()},{amount}\n" for name, city, amount in rows)
        total = f"TOTAL,{len(rows)},{sum(amount for _, _, amount in rows)}\n"
        return Operation(number, "XClean", parent, text.encode(), result=(cleaned + total).encode())

    def checksum(self, number, parent, rng):
        payload = rng.randbytes(rng.randint(64, 3000))
        return Operation(number, "BlockchainEventPoller", parent, payload,
                         result=hashlib.sha256(payload).hexdigest().encode())

    def publish(self, number, parent, rng):
        page = self.pages / f"page-{number}.html"
        name = f"{self.pages.name}/{page.name}".encode()        # as the handler sees it, from the folder it works in
        if rng.random() < 0.08:
            return Operation(number, "SiteTaskPublish", parent, name, status="Error", error="no such page")
        text = f"<h1>Page {number}</h1>\n" + "<p>All work and no play.</p>\n" * rng.randint(1, 200)
        page.write_text(text)
        return Operation(number, "SiteTaskPublish", parent, name,
                         result=f"published {page.name}.gz".encode(), made=(f"{page}.gz", text.encode()))

    def metadata(self, number, parent, rng):
        if rng.random() < 0.15:
            return Operation(number, "CdpMetadataDeploy", parent, b'{"field": ', status="Error", error="not JSON")
        metadata = {"object": f"Account{number}", "fields": rng.sample(["Name", "City", "Phone", "Level"], 3),
                    "busy": rng.random() < 0.2}
        return Operation(number, "CdpMetadataDeploy", parent, json.dumps(metadata, indent=1).encode(),
                         result=json.dumps(metadata, sort_keys=True, separators=(",", ":")).encode(),
                         retries=int(metadata["busy"]))

    def upsert(self, number, parent, rng):
        row = {"key": f"row-{number}", "value": rng.randint(1, 1000000)}
        return Operation(number, "ExternalObject", parent, json.dumps(row).encode(),
                         result=f"stored row-{number}".encode())

    def sweep(self, number, parent, _):
        return Operation(number, "Sweeper", parent, b"", process_after_ms=int((time.time() + SCHEDULE_S) * 1000))
