"""The SDKs' own way to tokens, and the rest of the token service."""

import base64
import json
import types

import finbourne_access as fa
import finbourne_access.extensions as extensions
import finbourne_identity as fi
import requests
from finbourne_access.extensions.refreshing_token import RefreshingToken

from sdk import Step, identity, unique
from stage import CLIENT_ID, CLIENT_SECRET, OWNER, PASSWORD, Stage
from writing import CHOSEN, Person, policy, set_up, user


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Tokens(Step):
    def configuration(self, **more):
        """What the SDK keeps of its secrets file."""
        given = {"token_url": Stage.current.token_url, "username": OWNER, "password": PASSWORD, "client_id": CLIENT_ID}
        given |= {"client_secret": CLIENT_SECRET, "proxy_config": None, "certificate_filename": None}
        return types.SimpleNamespace(**{**given, **more})

    def test_the_sdk_logs_in_with_a_password_full_of_special_characters(self):
        loader = extensions.ArgsConfigurationLoader(
            token_url=Stage.current.token_url,
            api_url=f"{Stage.current.control}/access",
            username=OWNER,
            password=PASSWORD,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
        )
        api = extensions.SyncApiClientFactory(config_loaders=[loader]).build(fa.PoliciesApi)
        self.ask(200, api.list_policies)

    def test_the_sdk_refreshes_before_a_token_ends(self):
        # It reckons with an end so early that it refreshes at once, again and again.
        token = RefreshingToken(self.configuration(), expiry_offset=3600)
        seen = {str(token.data) for _ in range(3)}
        self.assertEqual(len(seen), 3)
        for one in seen:
            self.assertEqual(Stage.current.call("GET", "/identity/api/me", token=one).status_code, 200)

    def test_the_sdk_logs_in_again_when_its_refresh_token_is_no_longer_good(self):
        token = RefreshingToken(self.configuration(), expiry_offset=3600)
        self.assertTrue(token.data)
        token.token_data["refresh_token"] = "nonsense"
        self.assertEqual(Stage.current.call("GET", "/identity/api/me", token=str(token.data)).status_code, 200)

    def test_the_sdk_is_told_why_it_cannot_log_in(self):
        for wrong in ({"password": "not the password"}, {"username": "nobody@example.com"}, {"client_secret": "not the secret"}, {"client_id": "nobody"}):
            with self.subTest(**wrong), self.assertRaisesRegex(ValueError, "invalid_grant|invalid_client"):
                str(RefreshingToken(self.configuration(**wrong)).data)

    def test_a_login_with_a_plus_logs_in_by_the_sdk(self):
        person = identity(fi.UsersApi).create_user(user(f"{unique('a')}+b@example.com"))
        set_up(person.id)
        token = RefreshingToken(self.configuration(username=person.login, password=CHOSEN))
        self.assertEqual(claims(str(token.data))["sub"], person.id)

    def test_a_token_says_who_its_user_is_and_of_which_roles(self):
        person = Person(policy(unique("claims")))
        answer = Stage.current.log_in(person.login, CHOSEN).json()
        self.assertEqual((answer["token_type"], answer["expires_in"], set(answer["scope"].split())), ("Bearer", 3600, {"openid", "client", "groups"}))
        self.assertNotIn("refresh_token", answer, "offline access was not asked for")
        told = claims(answer["access_token"])
        self.assertEqual((told["iss"], told["sub"], told["cid"], told["groups"]), (Stage.current.issuer, person.id, CLIENT_ID, [person.code]))
        self.assertIn("lusid-api", told["aud"])
        self.assertEqual(told["exp"] - told["iat"], 3600)
        self.assertEqual(claims(Stage.current.token())["groups"], ["LUSID_SYSTEM/lusid-administrator"])

    def test_the_issuer_describes_itself(self):
        described = requests.get(f"{Stage.current.issuer}/.well-known/openid-configuration", timeout=10).json()
        self.assertEqual((described["issuer"], described["token_endpoint"]), (Stage.current.issuer, Stage.current.token_url))
        keys = requests.get(described["jwks_uri"], timeout=10).json()["keys"]
        self.assertTrue(keys and not any("d" in key for key in keys))

    def test_tokens_are_looked_into_and_revoked(self):
        person = Person(policy(unique("revoked")))
        answer = Stage.current.log_in(person.login, CHOSEN, scope="openid offline_access").json()
        client = (CLIENT_ID.encode(), CLIENT_SECRET.encode())
        post = lambda where, token: requests.post(f"{Stage.current.issuer}/v1/{where}", data={"token": token}, auth=client, timeout=30)
        active = lambda token: post("introspect", token).json()["active"]
        refresh = {"grant_type": "refresh_token", "scope": "openid offline_access", "refresh_token": answer["refresh_token"]}
        self.assertTrue(active(answer["access_token"]))
        self.assertFalse(active("nonsense"))
        for token in (answer["access_token"], answer["refresh_token"]):
            self.assertEqual(post("revoke", token).status_code, 200)
        self.assertFalse(active(answer["access_token"]))
        refused = requests.post(Stage.current.token_url, data=refresh, auth=client, timeout=30)
        self.assertEqual((refused.status_code, refused.json()["error"]), (400, "invalid_grant"))
        self.assertIn("refresh token is invalid or expired", refused.json()["error_description"])
