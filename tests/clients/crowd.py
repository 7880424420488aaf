"""Those who use control planes all the time while these are killed: each counts what was acknowledged, and notes in
`wrong` what must never happen. A call that breaks or is answered with 503 is neither: what became of it is open."""

import contextlib
import hashlib
import itertools
import random
import threading
import time

import requests

from replicas import POLICY, ROLE, codes
from stage import PATIENCE, Stage

numbers = itertools.count(1)


class One(threading.Thread):
    """Does what it does again and again, until its crowd is dispersed."""

    def __init__(self):
        super().__init__(daemon=True)
        self.wrong, self.done, self.is_over = [], 0, threading.Event()

    def run(self):
        while not self.is_over.is_set():
            try:
                self.act()
            except Exception as error:  # noqa: BLE001: whatever it is, the step tells it
                self.wrong.append(repr(error))
                return

    def ask(self, expected, method, path, base=None, **more):
        """The answer with the expected status; none where it stays open what became of the call."""
        try:
            answer = Stage.current.call(method, path, base=base, **more)
        except requests.RequestException:
            answer = None
        if answer is None or answer.status_code == 503:
            # Somebody else has the next word.
            time.sleep(0.02)
            return None
        if answer.status_code != expected:
            self.wrong.append(f"{method} {path}: {answer.status_code} {answer.text}")
            return None
        self.done += 1
        return answer


class Poller(One):
    """A sidecar that waits for revisions. `seen` is what all of them saw: the digest of each revision."""

    def __init__(self, seen, base=None, coding="identity"):
        super().__init__()
        self.seen, self.base, self.coding = seen, base, coding
        self.revision, self.etag = 0, None

    def act(self):
        headers = {"authorization": f"Bearer {Stage.current.sidecar_token}", "accept-encoding": self.coding, "prefer": "wait=5"}
        headers |= {"if-none-match": self.etag} if self.etag else {}
        try:
            answer = requests.get(f"{self.base or Stage.current.control}/snapshot", headers=headers, timeout=PATIENCE)
        except requests.RequestException:
            return time.sleep(0.02)
        if answer.status_code == 200:
            return self.take(answer)
        if answer.status_code not in (304, 503):
            self.wrong.append(f"snapshot: {answer.status_code} {answer.text}")
        return None if answer.status_code == 304 else time.sleep(0.02)

    def take(self, answer):
        revision, digest = answer.json()["revision"], hashlib.sha256(answer.content).hexdigest()
        if revision <= self.revision:
            self.wrong.append(f"revision {revision} came after {self.revision}")
        if self.seen.setdefault(revision, digest) != digest:
            self.wrong.append(f"revision {revision} has two contents")
        self.revision, self.etag = revision, answer.headers["etag"]
        self.done += 1


class Creator(One):
    """Creates policies; `acknowledged` are those that must be there, `sent` those that may be."""

    def __init__(self, base=None):
        super().__init__()
        self.base, self.acknowledged, self.sent = base, [], []

    def act(self):
        self.sent.append(f"made-{next(numbers)}")
        if self.ask(201, "POST", "/access/api/policies", self.base, json={"code": self.sent[-1], **POLICY}):
            self.acknowledged.append(self.sent[-1])


class Mover(One):
    """Moves roles of its own before one another; `orders` are those they may be in after all that was acknowledged."""

    def __init__(self, randomness, base=None):
        super().__init__()
        self.random, self.base = random.Random(randomness), base
        roles = [f"moved-{next(numbers)}" for _ in range(5)]
        for code in roles:
            made = Stage.current.call("POST", "/access/api/roles", base=base, json={"code": code, **ROLE})
            assert made.status_code == 201, made.text
        self.orders = {tuple(roles)}

    def act(self):
        path, parameters = "/access/api/roles", {}
        moved, before = self.random.sample(sorted(next(iter(self.orders))), 2)
        changed = self.orders
        if len(self.orders) == 1:
            parameters = {"beforeScope": "default", "beforeCode": before}
            changed = {move(order, moved, before) for order in self.orders}
        # Where the order is open, nothing is changed: behind this write it is settled, for changes are made one after the other.
        if not self.ask(200, "PUT", f"{path}/{moved}", self.base, json=ROLE, params=parameters):
            self.orders |= changed
            return
        self.orders = changed
        listed = self.ask(200, "GET", path, self.base)
        if listed:
            self.settle(listed)

    def settle(self, listed):
        order = tuple(code for code in codes(listed) if code in next(iter(self.orders)))
        if order not in self.orders:
            self.wrong.append(f"the roles are in the order {order}, and not in one of {self.orders}")
        self.orders = {order}


def move(order, moved, before):
    rest = [code for code in order if code != moved]
    rest.insert(rest.index(before), moved)
    return tuple(rest)


class Visitor(One):
    """A user of the proxy who asks every 50 ms, and to whom nothing that happens matters."""

    def __init__(self, token, path):
        super().__init__()
        self.token, self.path, self.session = token, path, requests.Session()

    def act(self):
        headers = {"authorization": f"Bearer {self.token}"}
        answer = self.session.get(Stage.current.proxy + self.path, headers=headers, timeout=PATIENCE)
        if answer.status_code != 200:
            self.wrong.append(f"the proxy answered {answer.status_code}: {answer.text}")
        self.done += 1
        time.sleep(0.05)


@contextlib.contextmanager
def crowd(*ones):
    """They are at it inside; afterwards each has done something, and nothing wrong."""
    for one in ones:
        one.start()
    try:
        yield
    finally:
        for one in ones:
            one.is_over.set()
        for one in ones:
            one.join(2 * PATIENCE)
    wrong = [f"{type(one).__name__}: {what}" for one in ones for what in one.wrong]
    assert not wrong, "\n".join(wrong[:20])
    idle = [type(one).__name__ for one in ones if not one.done]
    assert not idle, f"nothing was done by {idle}"
