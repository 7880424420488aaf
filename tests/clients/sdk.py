"""The public SDKs, unmodified, and how a step asks by them: exact statuses, and the JSON beside the objects."""

import inspect
import itertools
import json
import unittest

import finbourne_access
import finbourne_access.extensions
import finbourne_identity
import finbourne_identity.extensions

from stage import Stage

# Operations that some step has called, such as ("finbourne_access", "create_policy").
touched = set()
numbers = itertools.count(1)


def access(api, token=None):
    """An API of the Access SDK, as the owner or whoever's token it is."""
    return build(finbourne_access.extensions, api, "access", token)


def identity(api, token=None):
    """An API of the Identity SDK, as the owner or whoever's token it is."""
    return build(finbourne_identity.extensions, api, "identity", token)


def build(extensions, api, service, token):
    loader = extensions.ArgsConfigurationLoader(
        api_url=f"{Stage.current.control}/{service}", access_token=token or Stage.current.token(), app_name="doorward-clients"
    )
    return extensions.SyncApiClientFactory(config_loaders=[loader]).build(api)


def operations(package):
    """Every operation that the SDK has."""
    for name, kind in inspect.getmembers(getattr(package, "api"), inspect.isclass):
        if name.endswith("Api"):
            for method, _ in inspect.getmembers(kind, inspect.isfunction):
                if method.endswith("_with_http_info"):
                    yield package.__name__, method.removesuffix("_with_http_info")


def unique(word):
    """A code that no other step uses."""
    return f"{word}-{next(numbers)}"


class Step(unittest.TestCase):
    """Every `test_` is a sentence on what a client may rely on."""

    maxDiff = 4000

    def ask(self, status, method, *arguments, **more):
        """Calls an operation that must succeed with exactly this status; the object and the JSON it was made of."""
        response = call(method, *arguments, **more)
        self.assertEqual(response.status_code, status, response.raw_data)
        if status == 204:
            self.assertFalse(response.raw_data)
            return None, None
        self.assertIsNotNone(response.data, "the SDK knows no answer of this status")
        document = json.loads(response.raw_data)
        self.assertEqual(list(nulls(document)), [], "members without a value are left out")
        return response.data, document

    def refused(self, status, code, method, *arguments, **more):
        """Calls an operation that must be refused by a problem with this status and LUSID's code (None: any)."""
        with self.assertRaises((finbourne_access.ApiException, finbourne_identity.ApiException)) as caught:
            call(method, *arguments, **more)
        return self.problem(caught.exception.status, caught.exception.headers, caught.exception.body, status, code)

    def problem(self, actual, headers, body, status, code):
        self.assertIn(actual, status if isinstance(status, tuple) else (status,), body)
        problem = json.loads(body)
        if code is not None:
            self.assertIn(problem["code"], code if isinstance(code, tuple) else (code,), body)
        self.assertEqual(headers["content-type"].split(";")[0], "application/problem+json")
        self.assertNotIn("retry-after", {name.lower() for name in headers}, "it would make the SDK try again")
        self.assertEqual((problem["status"], type(problem["name"]), problem["errorDetails"]), (actual, str, []))
        self.assertTrue(problem["instance"] and problem["title"])
        return problem


def call(method, *arguments, **more):
    api = method.__self__
    touched.add((type(api).__module__.split(".")[0], method.__name__))
    return getattr(api, f"{method.__name__}_with_http_info")(*arguments, **more)


def nulls(value, path=""):
    if value is None:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from nulls(inner, f"{path}/{key}")
