"""Every route of the served OpenAPI documents says which methods it has to those who ask by another."""

import http.client
import re
import socket
import time
import urllib.parse

import requests

from sdk import Step
from stage import Stage

METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE", "TRACE", "QUERY")


class Methods(Step):
    def test_a_method_that_a_route_does_not_have_is_405_and_those_it_has_are_named(self):
        for service in ("access", "identity"):
            document = requests.get(f"{Stage.current.control}/{service}/swagger/v0/swagger.json", timeout=60).json()
            routes = {path: {method.upper() for method in item if method.upper() in METHODS} for path, item in document["paths"].items()}
            for template in routes:
                path = re.sub(r"{[^}]*}", "abc", template)
                # An address may be one of several routes: a literal is also an instance of a template.
                there = set().union(*(methods for other, methods in routes.items() if re.fullmatch(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(other)), path)))
                for method in set(METHODS) - there:
                    with self.subTest(f"{method} {path}"):
                        answer = Stage.current.call(method, path)
                        self.assertEqual((answer.status_code, set(answer.headers["allow"].split(", "))), (405, there), answer.text)

    def test_an_answer_that_comes_before_its_request_has_ended_does_not_lose_the_next_one(self):
        refused = b"POST /identity/api/users HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        open_to_all = b"GET /oauth2/default/v1/keys HTTP/1.1\r\nhost: x\r\n\r\n"
        with connection() as client:
            client.sendall(refused % 10)
            time.sleep(0.1)
            client.sendall(b'{"a":"bcd"' + open_to_all)
            statuses = [read_head(client)[0] for _ in range(2)]
        self.assertEqual(statuses, ["401", "200"])

    def test_a_connection_that_cannot_serve_another_request_says_so(self):
        with connection() as client:
            client.sendall(b"POST /identity/api/users HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n")
            status, head = read_head(client)
        self.assertEqual((status, "connection: close" in head), ("401", True), head)


def connection():
    address = urllib.parse.urlsplit(Stage.current.control)
    return socket.create_connection((address.hostname, address.port), timeout=60)


def read_head(client):
    """The status and the head of the next answer; its body is read too."""
    answer = http.client.HTTPResponse(client)
    # Without a buffer that could take in the beginning of the next answer.
    answer.fp.close()
    answer.fp = client.makefile("rb", buffering=0)
    answer.begin()
    answer.read()
    return str(answer.status), str(answer.headers).lower()
