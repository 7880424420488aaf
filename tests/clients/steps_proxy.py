"""End to end: what is written in the control plane is in force at the proxy with the next revision."""

import time
from datetime import datetime, timedelta, timezone

import finbourne_access as fa
import finbourne_identity as fi
import requests

from sdk import Step, access, identity, unique
from stage import Stage, wait_until
from writing import SINCE, Person, action, by_id, features, policy, role, update_of

LIST = "/api/api/portfolios"


def reading(scope):
    """A request for a policy that lets portfolios of one scope be listed and read, with one of their properties."""
    return policy(
        unique("reading"),
        by_id({"scope": "LUSID", "code": "api-portfolios-*"}, action("Execute", "Feature")),
        by_id({"scope": scope, "code": "*"}, action("Any", "Portfolio")),
        by_id({"domain": "Portfolio", "scope": "desk", "code": "*"}, action("Read", "PropertyValue")),
    )


class Proxy(Step):
    def setUp(self):
        with Stage.current.published():
            self.person = Person(reading("US"), features("Identity", "identity-personalauthenticationtokens-*"))
        self.token = self.person.token

    def get(self, path=LIST, token=None, **more):
        return Stage.current.call("GET", path, token=token or self.token, base=Stage.current.proxy, **more)

    def scopes(self, token=None):
        answer = self.get(token=token)
        self.assertEqual(answer.status_code, 200, answer.text)
        return {one["id"]["scope"] for one in answer.json()["values"]}

    def test_a_user_sees_what_its_policies_grant_and_no_more(self):
        listed = self.get().json()["values"]
        self.assertEqual([(one["id"]["scope"], one["id"]["code"]) for one in listed], [("US", "growth"), ("US", "income")])
        self.assertEqual({key for one in listed for key in one["properties"]}, {"Portfolio/desk/name"})
        self.assertEqual(self.get(f"{LIST}/UK/growth").status_code, 403)
        self.assertNotIn("secret", self.get(f"{LIST}/US/growth").text)
        owner = self.get(token=Stage.current.token()).json()["values"]
        self.assertEqual((len(owner), len(owner[0]["properties"])), (3, 2))

    def test_a_change_of_a_policy_is_in_force_on_the_next_request(self):
        self.assertEqual(self.scopes(), {"US"})
        changed = reading("UK")
        with Stage.current.published():
            update = fa.PolicyUpdateRequest(grant="Allow", applications=["LUSID"], selectors=changed.selectors, when=fa.WhenSpec(activate=SINCE))
            access(fa.PoliciesApi).update_policy(self.person.codes[0], update)
        self.assertEqual(self.scopes(), {"UK"})
        with Stage.current.published():
            update.grant = "Deny"
            access(fa.PoliciesApi).update_policy(self.person.codes[0], update)
        self.assertEqual(self.get().status_code, 403)

    def test_a_change_of_roles_is_in_force_on_the_next_request(self):
        code, request = unique("stronger"), reading("UK")
        with Stage.current.published():
            access(fa.PoliciesApi).create_policy(request)
            access(fa.RolesApi).create_role(role(code, [request.code]))
            added = identity(fi.RolesApi).create_role(fi.CreateRoleRequest(name=code)).id
            identity(fi.RolesApi).add_user_to_role(added, self.person.id)
        self.assertEqual(self.scopes(), {"US", "UK"})
        with Stage.current.published():
            identity(fi.RolesApi).remove_user_from_role(self.person.role_id, self.person.id)
        self.assertEqual(self.scopes(), {"UK"})
        with Stage.current.published():
            identity(fi.RolesApi).remove_user_from_role(added, self.person.id)
        self.assertEqual(self.get().status_code, 403)

    def test_the_stronger_role_wins_and_precedence_can_be_turned(self):
        code, request = unique("denying"), policy(unique("denying"), grant="Deny")
        with Stage.current.published():
            access(fa.PoliciesApi).create_policy(request)
            denying = role(code, [request.code])
            access(fa.RolesApi).create_role(denying)
            identity(fi.RolesApi).add_user_to_role(identity(fi.RolesApi).create_role(fi.CreateRoleRequest(name=code)).id, self.person.id)
        self.assertEqual(self.scopes(), {"US"})
        with Stage.current.published():
            update = fa.RoleUpdateRequest(resource=denying.resource, when=denying.when)
            access(fa.RolesApi).update_role(code, update, before_scope="default", before_code=self.person.code)
        self.assertEqual(self.scopes(), set())

    def test_a_suspended_user_is_refused_and_a_reactivated_one_is_served_with_the_same_token(self):
        users = identity(fi.UsersApi)
        before = users.get_user(self.person.id)
        with Stage.current.published():
            users.update_user(self.person.id, update_of(before, user_expiry=datetime.now(timezone.utc) + timedelta(seconds=2)))
        wait_until("the user is refused", lambda: self.get().status_code == 401)
        wait_until("the user is suspended", lambda: users.get_user(self.person.id).status == "SUSPENDED")
        with Stage.current.published():
            users.update_user(self.person.id, update_of(before, user_expiry=datetime.now(timezone.utc) + timedelta(days=9)))
        self.assertEqual(self.scopes(), {"US"})

    def test_a_revoked_token_is_refused_and_another_of_the_same_user_is_served(self):
        other = self.person.log_in_again()
        with Stage.current.published():
            identity(fi.TokensApi, self.token).invalidate_token()
        answer = self.get()
        self.assertEqual((answer.status_code, answer.json()["name"]), (401, "InvalidIdentityToken"))
        self.assertEqual(self.scopes(other), {"US"})

    def test_a_personal_access_token_is_served_until_it_is_deleted(self):
        api = identity(fi.PersonalAuthenticationTokensApi, self.token)
        with Stage.current.published():
            made = api.create_api_key(fi.CreateApiKey(displayName=unique("key")))
        self.assertEqual(self.scopes(made.key), {"US"})
        with Stage.current.published():
            api.delete_api_key(made.id)
        self.assertEqual(self.get(token=made.key).status_code, 401)

    def test_a_refusal_leads_to_its_decision(self):
        refused = self.get(f"{LIST}/UK/growth")
        self.assertEqual(refused.status_code, 403, refused.text)
        decision = refused.json()["instance"].rsplit("/", 1)[-1]
        self.assertEqual(decision, refused.headers["doorward-decision-id"])
        found = lambda: Stage.current.call("GET", f"/insights/api/access/{decision}")
        wait_until("the decision has arrived", lambda: found().status_code == 200)
        record = found().json()
        self.assertEqual((record["user"], record["result"], record["application"]), (self.person.id, "Denied", "LUSID"))
        self.assertEqual((record["resourceType"], record["action"]), ("Portfolio", "default/Read/Portfolio"))
        self.assertEqual(record["resource"], {"scope": "UK", "code": "growth"})
        listed = Stage.current.call("GET", "/insights/api/access", params={"limit": 50})
        self.assertIn(decision, [one["id"] for one in listed.json()["values"]])
        self.assertEqual(Stage.current.call("GET", f"/insights/api/access/{decision}", token=self.token).status_code, 403)
        self.assertEqual(Stage.current.call("GET", "/insights/api/access/not-there").status_code, 404)

    def test_the_snapshot_is_for_those_who_may_have_it(self):
        ask = lambda token: requests.get(f"{Stage.current.control}/snapshot", headers={"authorization": f"Bearer {token}"}, timeout=30)
        self.assertEqual(ask(self.token).status_code, 403)
        self.assertEqual(ask("nonsense").status_code, 401)
        full = ask(Stage.current.sidecar_token)
        self.assertEqual((full.status_code, full.json()["schema"]), (200, "doorward.snapshot/1"))
        self.assertNotIn("password", full.text.lower().replace("passwordchanged", ""))
        headers = {"authorization": f"Bearer {Stage.current.sidecar_token}", "if-none-match": full.headers["etag"]}
        began = time.monotonic()
        again = requests.get(f"{Stage.current.control}/snapshot", headers={**headers, "prefer": "wait=1"}, timeout=30)
        self.assertEqual((again.status_code, time.monotonic() - began > 0.9), (304, True))
