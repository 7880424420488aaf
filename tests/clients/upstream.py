"""A small real API behind the proxy, in LUSID's shapes: portfolios to read, custom entities to keep.

It checks nothing, for that is what the proxy in front of it is for, and counts what reaches it.
"""

import json
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

PORTFOLIOS = [("US", "growth", "secret"), ("US", "income", "secret"), ("UK", "growth", "secret")]


def portfolio(scope, code, cost):
    """One portfolio with two properties, one of which is nobody's business."""
    return {
        "id": {"scope": scope, "code": code},
        "displayName": f"{scope} {code}",
        "properties": {
            "Portfolio/desk/name": {"key": "Portfolio/desk/name", "value": {"labelValue": "EQ"}},
            "Portfolio/pricing/cost": {"key": "Portfolio/pricing/cost", "value": {"labelValue": cost}},
        },
        "version": {"effectiveFrom": "2020-01-01T00:00:00.0000000+00:00", "asAtDate": "2020-01-01T00:00:00.0000000+00:00"},
    }


class Upstream(ThreadingHTTPServer):
    """Listens on a free port of loopback from its making to `close`."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answering)
        self.seen = []
        self.entities = {}
        self.types = {}
        self.definitions = set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self):
        self.shutdown()
        self.server_close()


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        self.server.seen.append((self.command, path))
        parts = [unquote(part) for part in path.removeprefix("/api/api/").split("/")]
        status, value = self.route(parts, query, json.loads(body) if body else None)
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def route(self, parts, query, body):
        match (self.command, parts[0], parts[1:]):
            case ("GET", "portfolios", []):
                return 200, {"values": [portfolio(*row) for row in PORTFOLIOS], "links": []}
            case ("GET", "portfolios", [scope, code]):
                found = [portfolio(*row) for row in PORTFOLIOS if row[:2] == (scope, code)]
                return (200, found[0]) if found else (404, {"name": "PortfolioNotFound", "code": 109})
            case ("POST", "propertydefinitions", []):
                key = f"{body['domain']}/{body['scope']}/{body['code']}"
                if key in self.server.definitions:
                    return 400, {"name": "PropertyAlreadyExists", "code": 124}
                self.server.definitions.add(key)
                return 201, {"key": key}
            case (_, "customentitytypes", rest):
                return self.entity_type(rest, body)
            case (_, "customentities", rest):
                return self.entity(rest, query, body)
        return 404, {"name": "NotFound", "code": -1}

    def entity_type(self, rest, body):
        if self.command == "GET":
            found = self.server.types.get(rest[0])
            return (200, found) if found else (404, {"name": "CustomEntityDefinitionNotFound", "code": -1})
        name = rest[0] if rest else "~" + body["entityTypeName"]
        self.server.types[name] = {"entityType": name, **body}
        return 200, self.server.types[name]

    def entity(self, rest, query, body):
        kind = rest[0]
        if self.command == "POST":
            value = body["identifiers"][0]["identifierValue"]
            version = {"asAtModified": datetime.now(timezone.utc).isoformat()}
            self.server.entities[kind, value] = {"entityType": kind, **body, "relationships": [], "version": version}
            return 200, self.server.entities[kind, value]
        if self.command == "DELETE":
            gone = self.server.entities.pop((kind, rest[2]), None)
            return (200, {"asAt": "2020-01-01T00:00:00Z"}) if gone else (404, {"name": "CustomEntityNotFound", "code": -1})
        wanted = query.get("filter", [""])[0].removeprefix("fields[deployment] eq ").strip("'")
        values = [entity for (of, _), entity in self.server.entities.items() if of == kind]
        if wanted:
            values = [entity for entity in values if {"name": "deployment", "value": wanted} in entity["fields"]]
        return 200, {"values": values, "links": []}

    def log_message(self, *_):
        """Says nothing: what went wrong is in the step that failed."""
