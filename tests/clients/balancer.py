"""One address for several replicas: connections go round, and pass over a replica that nobody listens at."""

import contextlib
import itertools
import socket
import socketserver
import threading


class Balancer(socketserver.ThreadingTCPServer):
    """Listens on a free port of loopback from its making to `close`; it looks at no byte that it passes on."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Passing)
        self.replicas = []
        self.turns = itertools.count()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self):
        self.shutdown()
        self.server_close()

    def connect(self):
        """A connection to the replica whose turn it is, or to the next that takes one."""
        first = next(self.turns)
        for place in range(len(self.replicas)):
            address = self.replicas[(first + place) % len(self.replicas)]
            with contextlib.suppress(OSError):
                return socket.create_connection(address, timeout=5)
        return None

    def handle_error(self, *_):
        """Says nothing: a connection that broke is seen at both of its ends."""


class Passing(socketserver.BaseRequestHandler):
    def handle(self):
        behind = self.server.connect()
        if behind is None:
            return
        with behind:
            behind.settimeout(None)
            back = threading.Thread(target=pass_on, args=(behind, self.request), daemon=True)
            back.start()
            pass_on(self.request, behind)
            back.join()


def pass_on(source, target):
    """Until the source ends; then the target is told that it has, and a source that broke breaks the target."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
        return
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
