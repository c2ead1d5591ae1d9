"""A link between one process and Redis that can be cut: a TCP proxy of one thread. Cut: connections are reset and new
ones too. Deaf: everything stays open and nothing arrives, in one direction or both. Slow: so many bytes a second."""
import selectors
import socket
import threading
import time


class Link:
    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.cut, self.deaf, self.bytes_per_s = False, set(), None       # deaf: of {"there", "back"}
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.peers, self.waiting = {}, {}                               # socket -> (other socket, direction); unsent bytes
        self.ended = False
        self.carried = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def close(self):
        self.ended = True
        self.thread.join()
        for end in list(self.peers):
            self.drop(end)
        self.selector.unregister(self.listener)
        self.listener.close()
        self.selector.close()

    def accept(self):
        near, _ = self.listener.accept()
        try:
            if self.cut:
                raise OSError("cut")
            far = socket.create_connection(("127.0.0.1", self.target), timeout=1)
        except OSError:
            self.reset(near)
            return
        for one, other, direction in ((near, far, "there"), (far, near, "back")):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.peers[one], self.waiting[one] = (other, direction), b""
            self.selector.register(one, selectors.EVENT_READ)

    @staticmethod
    def reset(end):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        end.close()

    def drop(self, end):
        if end not in self.peers:
            return
        for one in (end, self.peers[end][0]):
            self.peers.pop(one, None)
            self.waiting.pop(one, None)
            if self.selector.get_map().get(one) is not None:
                self.selector.unregister(one)
            self.reset(one)

    def listen_for(self, end):
        """A deaf direction reads nothing, so that the sender's buffers fill; bytes that wait want the socket's room."""
        other, direction = self.peers[end]
        reading = direction not in self.deaf and not self.waiting[other]
        events = (selectors.EVENT_READ if reading else 0) | (selectors.EVENT_WRITE if self.waiting[end] else 0)
        known = self.selector.get_map().get(end)
        if events and known is None:
            self.selector.register(end, events)
        elif events and known.events != events:
            self.selector.modify(end, events)
        elif not events and known is not None:
            self.selector.unregister(end)

    def pump(self, end, events):
        other, _ = self.peers[end]
        try:
            if events & selectors.EVENT_WRITE:
                self.waiting[end] = self.waiting[end][end.send(self.waiting[end]):]
            if events & selectors.EVENT_READ:
                data = end.recv(65536 if self.bytes_per_s is None else max(1, self.bytes_per_s // 50))
                if not data:
                    return self.drop(end)
                self.carried += len(data)
                self.waiting[other] += data
                if self.bytes_per_s is not None:
                    time.sleep(len(data) / self.bytes_per_s)
                self.waiting[other] = self.waiting[other][other.send(self.waiting[other]):]
        except BlockingIOError:
            pass
        except OSError:
            self.drop(end)

    def run(self):
        while not self.ended:
            for end in list(self.peers):
                if self.cut:
                    self.drop(end)
                elif end in self.peers:
                    self.listen_for(end)
            for key, events in self.selector.select(0.02):
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj in self.peers:
                    self.pump(key.fileobj, events)
