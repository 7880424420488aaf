"""Two control planes on one database of PostgreSQL behind one address: what either acknowledged is true at both, and
no death of one of them is seen by the users of the data plane."""

import os
import random
import time

import requests

from crowd import Creator, Mover, Poller, Visitor, crowd
from replicas import POLICY, ROLE, codes
from sdk import Step, unique
from stage import Stage, wait_until
from steps_proxy import LIST, reading
from writing import Person, features

ROUNDS = 6
# Within which a request is answered while the database is away.
FEW_SECONDS = 15


class Replicated(Step):
    """`first` and `second` are the two replicas, by their own addresses."""

    def setUp(self):
        self.stage = Stage.current
        self.first, self.second = self.stage.replicas

    def done(self, status, answer):
        self.assertEqual(answer.status_code, status, answer.text)
        return answer

    def settled(self):
        """The snapshot that both replicas serve and the proxy follows, once nothing is missing in it that was written before."""
        last = {"scope": "default", "code": unique("last")}
        self.done(201, self.first.call("POST", "/access/api/policies", json={"code": last["code"], **POLICY}))
        served = [None, None]
        def both_have_it():
            served[:] = [replica.snapshot() for replica in (self.first, self.second)]
            return all(last in (policy["id"] for policy in one.json().get("policies", [])) for one in served)
        wait_until("both serve the last change", both_have_it)
        first, second = served
        self.assertEqual((first.content, first.headers["etag"]), (second.content, second.headers["etag"]))
        wait_until("the proxy has it", lambda: self.stage.revision() == first.json()["revision"])
        return first.json()

    def visitor(self):
        """A user with the right to read portfolios, which nothing takes away."""
        person = Person(reading("US"))
        self.settled()
        return Visitor(person.token, LIST)

    def test_one_owner_was_made_when_both_began_at_once(self):
        users = self.done(200, self.first.call("GET", "/identity/api/users")).json()
        self.assertEqual([one["login"] for one in users if one["lastName"] == "Owner"], ["owner@example.com"])
        roles = self.done(200, self.second.call("GET", "/access/api/roles")).json()
        self.assertEqual([one["roleHierarchyIndex"] for one in roles], list(range(1, len(roles) + 1)))

    def test_what_one_acknowledged_the_other_shows_at_once(self):
        for turn in range(20):
            one, other = (self.first, self.second) if turn % 2 else (self.second, self.first)
            policy, role = unique("shown"), unique("shown-role")
            self.done(201, one.call("POST", "/access/api/policies", json={"code": policy, **POLICY}))
            self.assertEqual(self.done(200, other.call("GET", f"/access/api/policies/{policy}")).json()["grant"], "Allow")
            self.done(200, other.call("PUT", f"/access/api/policies/{policy}", json={**POLICY, "grant": "Deny"}))
            self.assertEqual(self.done(200, one.call("GET", f"/access/api/policies/{policy}")).json()["grant"], "Deny")
            self.done(201, one.call("POST", "/access/api/roles", json={"code": role, **ROLE}))
            self.assertEqual(codes(other.call("GET", "/access/api/roles"))[-1], role)
            self.done(204, other.call("DELETE", f"/access/api/roles/{role}"))
            self.assertNotIn(role, codes(one.call("GET", "/access/api/roles")))
            self.done(204, one.call("DELETE", f"/access/api/policies/{policy}"))
            self.done(404, other.call("GET", f"/access/api/policies/{policy}"))

    def test_a_right_that_was_granted_or_taken_at_one_is_so_at_the_other_at_once(self):
        person = Person(features("Access", "access-policies-listpolicies"))
        code, path = person.codes[0], "/access/api/policies"
        right = self.done(200, self.first.call("GET", f"{path}/{code}")).json()
        for turn in range(10):
            one, other = (self.first, self.second) if turn % 2 else (self.second, self.first)
            self.done(200, other.call("GET", path, token=person.token))
            self.done(200, one.call("PUT", f"{path}/{code}", json={**right, "grant": "Deny"}))
            self.done(403, other.call("GET", path, token=person.token))
            self.done(200, one.call("PUT", f"{path}/{code}", json=right))

    def test_both_serve_the_same_bytes_of_the_same_revision(self):
        for turn in range(10):
            replica = self.first if turn % 2 else self.second
            code = unique("same")
            self.done(201, replica.call("POST", "/access/api/policies", json={"code": code, **POLICY}))
            snapshot = self.settled()
            self.assertIn({"scope": "default", "code": code}, [policy["id"] for policy in snapshot["policies"]])

    def test_a_token_of_one_is_good_at_the_other_until_it_is_ended_at_either(self):
        person = Person(features("Identity", "identity-*"))
        for one, other in ((self.first, self.second), (self.second, self.first)):
            made = self.log_in(one, person)
            refreshed = self.token_of(other, {"grant_type": "refresh_token", "refresh_token": made["refresh_token"]})
            for token in (made["access_token"], refreshed["access_token"]):
                for replica in (one, other):
                    self.done(200, replica.call("GET", "/identity/api/me", token=token))
            self.done(204, other.call("DELETE", "/identity/api/tokens", token=made["access_token"]))
            self.done(401, one.call("GET", "/identity/api/me", token=made["access_token"]))
            keys = [self.done(200, requests.get(f"{replica.url}/oauth2/default/v1/keys", timeout=30)).json() for replica in (one, other)]
            self.assertEqual(*keys)

    def test_replicas_that_are_killed_lose_nothing_and_disturb_nobody(self):
        seed = int(os.environ.get("DOORWARD_SEED", time.time_ns() % 1_000_000))
        print(f"       DOORWARD_SEED={seed}", flush=True)
        chance, seen = random.Random(seed), {}
        pollers = [Poller(seen, coding=coding) for coding in ("identity", "gzip") * 3]
        creators, mover, visitor = [Creator(), Creator()], Mover(seed), self.visitor()
        with crowd(visitor):
            with crowd(*pollers):
                with crowd(*creators, mover):
                    for turn in range(ROUNDS):
                        victim = self.stage.replicas[turn % 2]
                        time.sleep(chance.uniform(0.3, 2.0))
                        victim.kill()
                        time.sleep(chance.uniform(0.0, 2.0))
                        victim.start()
                latest = self.settled()["revision"]
                wait_until("every sidecar has the newest revision", lambda: all(poller.revision == latest for poller in pollers))
        self.assertGreater(len(seen), ROUNDS)
        self.everything_is_there(creators, mover)

    def everything_is_there(self, creators, mover):
        acknowledged = {code for creator in creators for code in creator.acknowledged}
        sent = {code for creator in creators for code in creator.sent}
        for replica in (self.first, self.second):
            there = {code for code in codes(replica.call("GET", "/access/api/policies")) if code in sent}
            self.assertEqual(acknowledged - there, set(), f"lost at {replica.name}")
            mover.settle(replica.call("GET", "/access/api/roles"))
            roles = replica.call("GET", "/access/api/roles").json()
            self.assertEqual([one["roleHierarchyIndex"] for one in roles], list(range(1, len(roles) + 1)))
        self.assertEqual(mover.wrong, [])
        print(f"       {len(acknowledged)} of {len(sent)} policies acknowledged, {mover.done} answers about roles", flush=True)

    def test_while_the_database_is_away_requests_fail_quickly_and_the_data_plane_goes_on(self):
        visitor, before = self.visitor(), self.settled()["revision"]
        pollers = [Poller({}) for _ in range(4)]
        with crowd(visitor, *pollers):
            wait_until("the sidecars have a revision", lambda: all(poller.revision for poller in pollers))
            # The server of the tests acknowledges before it has written, and it is stopped as abruptly as by a crash.
            time.sleep(1)
            self.stage.postgres("stop")
            try:
                for replica in (self.first, self.second) * 2:
                    self.unavailable(replica)
                self.assertEqual(self.first.snapshot().json()["revision"], before)
                self.assertEqual(self.stage.revision(), before)
            finally:
                self.stage.postgres("start")
            for replica in (self.first, self.second):
                wait_until("it answers again", lambda: replica.call("GET", "/access/api/roles").status_code == 200)
                self.done(201, replica.call("POST", "/access/api/policies", json={"code": unique("after"), **POLICY}))
            latest = self.settled()["revision"]
            wait_until("every sidecar has the newest revision", lambda: all(poller.revision == latest for poller in pollers))
        # Those that were written, and no leap over revisions that were lost.
        self.assertIn(latest - before, range(2, 100))

    def unavailable(self, replica):
        token = self.stage.token()
        for method, path, body in (("GET", "/access/api/roles", None), ("POST", "/access/api/policies", {"code": unique("lost"), **POLICY})):
            began = time.monotonic()
            problem = self.done(503, replica.call(method, path, token=token, json=body)).json()
            self.assertEqual((problem["status"], time.monotonic() - began < FEW_SECONDS), (503, True))

    def log_in(self, replica, person):
        form = {"grant_type": "password", "username": person.login, "password": person.password, "scope": "openid offline_access"}
        return self.token_of(replica, form)

    def token_of(self, replica, form):
        return self.done(200, self.stage.grant(form, f"{replica.url}/oauth2/default/v1/token")).json()
