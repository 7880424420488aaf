"""Every route of the served OpenAPI documents says which methods it has to those who ask by another."""

import re

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
