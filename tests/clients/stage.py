"""What the steps play on: a fresh control plane, a proxy with an upstream behind it, and the ways to them.

`Stage.current` is the one that the steps of this process share; `main.py` sets it.
"""

import contextlib
import json
import os
import pathlib
import secrets
import socket
import subprocess
import time

import requests

from domain import Domain
from upstream import Upstream

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOORWARD = os.environ.get("DOORWARD", str(ROOT / "target/debug/doorward"))
OWNER = "owner@example.com"
# With everything that has a meaning in a form, a URL or a header.
PASSWORD = "p w/d+&=é%41:;?#\"'pass"
CLIENT_ID = "doorward-cli"
CLIENT_SECRET = "s/e+c&r=t:%20é"
PATIENCE = 60


class Stage:
    """Starts everything when it is made and ends it with `close`."""

    current = None

    def __init__(self, directory, store):
        self.directory = pathlib.Path(directory)
        self.ending = contextlib.ExitStack()
        self.tokens = {}
        self.marks = 0
        try:
            self.start(store)
        except BaseException:
            self.close()
            raise

    def start(self, store):
        self.make_sidecar_token()
        self.name_control(f"http://127.0.0.1:{free_port()}")
        self.launch("control", "control", CONTROL.format(stage=self, store=store, address=self.control.removeprefix("http://")))
        self.follow()
        self.domain = Domain(self.control, self.proxy)
        self.ending.callback(self.domain.close)

    def make_sidecar_token(self):
        self.sidecar_token = secrets.token_urlsafe(32)
        self.write("sidecar-token", self.sidecar_token)

    def name_control(self, url):
        """Where clients find the control plane, and what its tokens are made of."""
        self.control = url
        self.issuer = f"{url}/oauth2/default"
        self.token_url = f"{self.issuer}/v1/token"

    def follow(self):
        """Starts a proxy with an upstream behind it, which follows the control plane."""
        self.upstream = Upstream()
        self.ending.callback(self.upstream.close)
        _, addresses = self.launch("serve", "serve", SERVE.format(stage=self, root=ROOT))
        self.proxy, self.admin = (f"http://{addresses[door][0]}" for door in ("proxy", "admin"))
        wait_until("the proxy is ready", lambda: requests.get(f"{self.admin}/readyz", timeout=5).status_code == 200)

    def close(self):
        self.ending.close()

    def write(self, name, text):
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    def launch(self, name, command, config):
        """Starts a doorward of its own; the process, and its bound addresses once it has said them."""
        path = self.write(f"{name}.toml", config)
        log = open(self.directory / f"{name}.log", "ab")
        environment = {**os.environ, "OWNER_PASSWORD": PASSWORD, "CLIENT_SECRET": CLIENT_SECRET}
        process = subprocess.Popen(
            [DOORWARD, command, "--config", str(path)], stdout=subprocess.PIPE, stderr=log, env=environment, cwd=self.directory
        )
        self.ending.callback(end, process, log)
        for line in process.stdout:
            with contextlib.suppress(ValueError):
                return process, json.loads(line)["listening"]
        log.flush()
        raise RuntimeError(f"doorward {command} ended: {(self.directory / f'{name}.log').read_text()}")

    def log_in(self, login=OWNER, password=PASSWORD, scope="openid client groups", **more):
        """The token endpoint's answer to the password grant, sent by a form that encodes everything."""
        return self.grant({"grant_type": "password", "username": login, "password": password, "scope": scope, **more})

    def grant(self, form, token_url=None):
        """The token endpoint's answer to this form, sent by the first application."""
        form = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **form}
        return requests.post(token_url or self.token_url, data=form, timeout=PATIENCE)

    def token(self, login=OWNER, password=PASSWORD):
        """An access token; one for each user serves all steps, for passwords are slow to check."""
        if login not in self.tokens:
            answer = self.log_in(login, password)
            assert answer.status_code == 200, answer.text
            self.tokens[login] = answer.json()["access_token"]
        return self.tokens[login]

    def call(self, method, path, token=None, base=None, **more):
        """A plain call with a bearer, the owner's if no other, to the control plane if to nothing else."""
        headers = {"authorization": f"Bearer {token or self.token()}"} | more.pop("headers", {})
        return requests.request(method, (base or self.control) + path, headers=headers, timeout=PATIENCE, **more)

    def snapshot(self):
        headers = {"authorization": f"Bearer {self.sidecar_token}"}
        answer = requests.get(f"{self.control}/snapshot", headers=headers, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def revision(self):
        """Of the proxy, as its operator sees it."""
        return requests.get(f"{self.admin}/status", timeout=PATIENCE).json()["revision"]

    @contextlib.contextmanager
    def published(self):
        """What is done inside is in force at the proxy afterwards. A revision may hold several writes, and the
        first of them be published before the last; so a mark is written behind them all and waited for."""
        yield
        self.marks += 1
        mark = f"mark-{self.marks}"
        action = {"scope": "default", "activity": "Read", "entity": "Portfolio"}
        selector = {"idSelectorDefinition": {"identifier": {"scope": mark}, "actions": [action]}}
        written = self.call("POST", "/access/api/policies", json={"code": mark, "grant": "Allow", "selectors": [selector], "when": {}})
        assert written.status_code == 201, written.text
        is_there = lambda snapshot: any(policy["id"]["code"] == mark for policy in snapshot["policies"])
        wait_until(f"{mark} is published", lambda: is_there(self.snapshot()))
        latest = self.snapshot()["revision"]
        wait_until(f"the proxy has revision {latest}", lambda: self.revision() >= latest)


def wait_until(what, holds):
    """Asks again and again for at most a minute; there is no event to wait for across processes."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, f"waited for a minute, but not so: {what}"
        time.sleep(0.05)


# Bound and never listening: the system gives their ports to nobody else, and to a program that names one.
reserved = []


def free_port():
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    reserved.append(kept)
    return kept.getsockname()[1]


def end(process, log):
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
    log.close()


CONTROL = """
[control]
listen = "{address}"
public_url = "{stage.control}"
store = "{store}"
sidecar_tokens = [{{ file = "{stage.directory}/sidecar-token" }}]
bootstrap = {{ login = "owner@example.com", type = "Service", password = {{ env = "OWNER_PASSWORD" }}, client_id = "doorward-cli", client_secret = {{ env = "CLIENT_SECRET" }} }}
"""

SERVE = """
[proxy]
listen = "127.0.0.1:0"
upstream = "{stage.upstream.url}"

[admin]
listen = "127.0.0.1:0"

[api]
maps = ["{root}/config/api/lusid.yaml"]
strip_prefix = "/api"

[snapshot]
source = "{stage.control}/snapshot"
token = {{ file = "{stage.directory}/sidecar-token" }}
poll = "30s"

[[issuers]]
issuer = "{stage.issuer}"
audience = ["lusid-api"]
jwks = "{stage.issuer}/v1/keys"

[decisions]
sink = "control"
when = "denied"
"""
