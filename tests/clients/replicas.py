"""A stage with two control planes on one database behind one address, and a control plane that is killed and started again."""

import concurrent.futures
import subprocess
import time
from urllib.parse import urlsplit

import requests

from balancer import Balancer
from stage import CONTROL, PATIENCE, ROOT, Stage, free_port

# A plain policy; what it says has no part in what is asked of replicas.
POLICY = {
    "applications": ["LUSID"],
    "grant": "Allow",
    "selectors": [{"idSelectorDefinition": {
        "identifier": {"scope": "*", "code": "*"},
        "actions": [{"scope": "default", "activity": "Any", "entity": "Portfolio"}],
    }}],
    "when": {"activate": "2024-01-01T00:00:00.0000000+00:00"},
}
# A role without rights.
ROLE = {"resource": {"policyIdRoleResource": {"policies": [], "policyCollections": []}}, "when": POLICY["when"]}


class ControlPlane:
    """One process of `doorward control`, which can be killed at any moment and started again at its own address."""

    def __init__(self, stage, name, store):
        self.stage, self.name, self.store = stage, name, store
        self.address = ("127.0.0.1", free_port())
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.address[1]}"

    def start(self):
        """Answers with the seconds until it says that it listens."""
        began = time.monotonic()
        config = CONTROL.format(stage=self.stage, store=self.store, address=urlsplit(self.url).netloc)
        self.process, _ = self.stage.launch(self.name, "control", config)
        return time.monotonic() - began

    def kill(self):
        """As abruptly as can be."""
        self.process.kill()
        self.process.wait()

    def call(self, method, path, token=None, **more):
        """A call to this one, past the balancer."""
        return self.stage.call(method, path, token=token, base=self.url, **more)

    def snapshot(self, etag=None, wait=None):
        headers = {"authorization": f"Bearer {self.stage.sidecar_token}", "accept-encoding": "identity"}
        headers |= {"if-none-match": etag} if etag else {}
        headers |= {"prefer": f"wait={wait}"} if wait else {}
        return requests.get(f"{self.url}/snapshot", headers=headers, timeout=PATIENCE)


class Replicas(Stage):
    """As every stage, but `control` is the address of a balancer in front of two replicas."""

    def __init__(self, directory, store, cluster):
        self.cluster = cluster
        super().__init__(directory, store)

    def start(self, store):
        self.make_sidecar_token()
        self.balancer = Balancer()
        self.ending.callback(self.balancer.close)
        self.name_control(self.balancer.url)
        self.replicas = [ControlPlane(self, name, store) for name in ("left", "right")]
        self.balancer.replicas = [replica.address for replica in self.replicas]
        # Both at once, on an empty database.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(ControlPlane.start, self.replicas))
        self.follow()

    def postgres(self, command):
        """Starts or stops the database server."""
        subprocess.run([ROOT / "tests/support/postgres", command, self.cluster], check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)


class Alone(Stage):
    """A control plane in a file of SQLite, with nothing in front of it or behind it."""

    def __init__(self, directory):
        super().__init__(directory, f"sqlite:{directory}/alone.db")

    def start(self, store):
        self.make_sidecar_token()
        self.control_plane = ControlPlane(self, "alone", store)
        self.name_control(self.control_plane.url)
        self.control_plane.start()


def codes(answer):
    """Of a list of policies or roles of scope `default`."""
    assert answer.status_code == 200, answer.text
    return [one["id"]["code"] for one in answer.json() if one["id"]["scope"] == "default"]
