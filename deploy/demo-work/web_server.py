#!/usr/bin/python3
"""A web server that is as unreliable as others: POST /callback sometimes answers 500, 429 with Retry-After, or not at
all, at the first request with an Idempotency-Key; the next one with that key succeeds. POST /cart always works.

    web_server.py PORT-FILE         serves on a free port of loopback and writes its number there when it listens
"""
import http.server
import json
import os
import sys
import threading
import time

SILENCE_S = 20          # longer than the Timeout that the demonstration gives to its callbacks


def cart_total(cart):
    return {"cart": cart["cart"], "total": sum(line["count"] * line["price"] for line in cart["lines"])}


def callback_answer(callback):
    return "received " + callback["text"]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = set()
        self.lock = threading.Lock()

    def first_time(self, key):
        with self.lock:
            first = key not in self.seen
            self.seen.add(key)
            return first


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        if self.path == "/cart":
            self.answer(200, json.dumps(cart_total(body)))
        elif self.path == "/callback":
            self.callback(body)
        else:
            self.answer(404, "no such service")

    def callback(self, body):
        trouble = body.get("trouble")
        if trouble == "refuse":
            self.answer(400, "refused")
        elif trouble and self.server.first_time(self.headers["Idempotency-Key"]):
            if trouble == "silence":
                time.sleep(SILENCE_S)
                self.close_connection = True
            elif trouble == "429":
                self.answer(429, "later", {"Retry-After": "1"})
            else:
                self.answer(int(trouble), "trouble")
        else:
            self.answer(200, callback_answer(body))

    def answer(self, status, text, headers=()):
        data = text.encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def main():
    server = Server()
    with open(sys.argv[1] + ".new", "w") as file:
        file.write(f"{server.server_address[1]}\n")
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    server.serve_forever()


if __name__ == "__main__":
    main()
