"""One host for everything, as clients of a domain expect it: `/api` leads through the proxy, the rest to the control plane."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Domain(ThreadingHTTPServer):
    """Listens on a free port of loopback from its making to `close`."""

    daemon_threads = True

    def __init__(self, control, proxy):
        super().__init__(("127.0.0.1", 0), Passing)
        self.control, self.proxy = urlsplit(control).netloc, urlsplit(proxy).netloc
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self):
        self.shutdown()
        self.server_close()


class Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        authority = self.server.proxy if self.path.startswith("/api/") else self.server.control
        connection = http.client.HTTPConnection(authority, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection", "content-length")}
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        text = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        connection.close()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = pass_on

    def log_message(self, *_):
        """Says nothing: what went wrong is in the step that failed."""
