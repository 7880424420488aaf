"""Applications, personal access tokens, policies of sign-in, issuers, network zones, logs: by the Identity SDK."""

from datetime import datetime, timedelta, timezone

import finbourne_identity as fi

from sdk import Step, identity, operations, unique
from stage import CLIENT_ID, Stage
from writing import Person, features


def keys():
    return features("Identity", "identity-personalauthenticationtokens-*")


class Applications(Step):
    def setUp(self):
        self.api = identity(fi.ApplicationsApi)

    def test_an_application_is_created_found_rotated_and_deleted(self):
        client = unique("application")
        request = fi.CreateApplicationRequest(displayName="One", clientId=client, type="Native")
        created = self.ask(200, self.api.create_application, create_application_request=request)[0]
        self.assertEqual((created.client_id, created.type, created.issuer), (client, "Native", Stage.current.issuer))
        self.assertTrue(created.secret)
        self.assertIsNone(self.ask(200, self.api.get_application, created.id)[0].secret)
        self.assertEqual(self.ask(200, self.api.get_application, created.id, include_secret=True)[0].secret, created.secret)
        self.assertEqual({CLIENT_ID, client} - {one.client_id for one in self.ask(200, self.api.list_applications)[0]}, set())
        enter = lambda secret: Stage.current.log_in(client_id=client, client_secret=secret).status_code
        self.assertEqual(enter(created.secret), 200)
        rotated = self.ask(200, self.api.rotate_application_secrets, created.id)[0]
        self.assertNotEqual(rotated.secret, created.secret)
        self.assertEqual((enter(rotated.secret), enter(created.secret)), (200, 200), "the former one is good for another day")
        self.refused((400, 409), None, self.api.create_application, create_application_request=request)
        self.ask(204, self.api.delete_application, created.id)
        self.assertEqual(enter(rotated.secret), 401)
        for gone in (self.api.get_application, self.api.delete_application, self.api.rotate_application_secrets):
            self.refused(404, 662, gone, created.id)
        self.ask(200, self.api.create_application, create_application_request=request)

    def test_a_web_application_is_created_with_its_addresses(self):
        uris = {"redirectUris": ["https://app.example/in"], "postLogoutRedirectUris": ["https://app.example/out"]}
        request = fi.CreateApplicationRequest(displayName="Web", clientId=unique("application"), type="Web", **uris)
        self.assertEqual(self.ask(200, self.api.create_application, create_application_request=request)[0].type, "Web")
        for wrong in ({"clientId": "1abcdef"}, {"clientId": "abc"}, {"type": "Robot"}, {"displayName": "x" * 51}):
            more = {"displayName": "Web", "clientId": unique("application"), "type": "Web", **wrong}
            self.refused(400, None, self.api.create_application, create_application_request=fi.CreateApplicationRequest(**more))


class PersonalAccessTokens(Step):
    def test_at_most_three_are_made_and_each_acts_as_its_user(self):
        person = Person(keys())
        api = identity(fi.PersonalAuthenticationTokensApi, person.token)
        names = [unique("key") for _ in range(3)]
        later = datetime.now(timezone.utc) + timedelta(days=9)
        made = [self.ask(200, api.create_api_key, fi.CreateApiKey(displayName=name, deactivationDate=later))[0] for name in names]
        self.assertEqual(identity(fi.MeApi, made[0].key).get_user_info().id, person.id)
        self.refused((400, 409), 238, api.create_api_key, fi.CreateApiKey(displayName=unique("key")))
        listed, document = self.ask(200, api.list_own_api_keys)
        self.assertEqual([one.display_name for one in listed], names)
        self.assertTrue(all("key" not in one for one in document), "it is shown once")
        gone = self.ask(200, api.delete_api_key, made[0].id)[0]
        self.assertEqual((gone.id, gone.display_name), (made[0].id, names[0]))
        self.refused(401, 187, identity(fi.MeApi, made[0].key).get_user_info)
        self.refused(404, 239, api.delete_api_key, made[0].id)
        self.refused((400, 409), 659, api.create_api_key, fi.CreateApiKey(displayName=names[1]))
        self.ask(200, api.create_api_key, fi.CreateApiKey(displayName=unique("key")))
        identity(fi.UsersApi).delete_user(person.id)
        self.refused(401, 187, identity(fi.MeApi, made[1].key).get_user_info)

    def test_nobody_deletes_the_keys_of_others(self):
        mine, other = Person(keys()), Person(keys())
        made = identity(fi.PersonalAuthenticationTokensApi, mine.token).create_api_key(fi.CreateApiKey(displayName="mine"))
        self.refused(404, 239, identity(fi.PersonalAuthenticationTokensApi, other.token).delete_api_key, made.id)
        self.assertEqual(identity(fi.MeApi, made.key).get_user_info().id, mine.id)


class Authentication(Step):
    def setUp(self):
        self.api = identity(fi.AuthenticationApi)

    def test_the_issuer_is_named(self):
        self.assertEqual(self.ask(200, self.api.get_authentication_information)[0].issuer_url, Stage.current.issuer)

    def test_password_policies_are_read_and_changed(self):
        for kind in ("Personal", "Service"):
            before = self.ask(200, self.api.get_password_policy, kind)[0]
            self.assertGreaterEqual(before.conditions.complexity.min_length, 12)
            change = fi.UpdatePasswordPolicyRequest.from_dict(before.to_dict())
            change.conditions.age.history_count = 7
            after = self.ask(200, self.api.update_password_policy, kind, update_password_policy_request=change)[0]
            self.assertEqual(after.conditions.age.history_count, 7)
            self.assertEqual(after.conditions.lockout, before.conditions.lockout)
            self.assertEqual(self.ask(200, self.api.get_password_policy, kind)[0], after)
        self.refused((400, 404), None, self.api.get_password_policy, "Robot")

    def test_the_session_policy_is_read_and_changed(self):
        self.ask(200, self.api.get_session_policy)
        change = fi.UpdateSessionPolicyRequest(maxSessionIdleMinutes=30, maxSessionLifetimeMinutes=600)
        changed = self.ask(200, self.api.update_session_policy, change)[0]
        self.assertEqual((changed.max_session_idle_minutes, changed.max_session_lifetime_minutes), (30, 600))
        self.assertEqual(self.ask(200, self.api.get_session_policy)[0], changed)
        for idle, lifetime in ((4, 600), (721, 600), (30, 4), (30, 1441)):
            wrong = fi.UpdateSessionPolicyRequest(maxSessionIdleMinutes=idle, maxSessionLifetimeMinutes=lifetime)
            self.refused(400, None, self.api.update_session_policy, wrong)


class ExternalTokenIssuers(Step):
    def test_an_issuer_is_created_read_listed_updated_and_deleted(self):
        api, code = identity(fi.ExternalTokenIssuersApi), unique("issuer")
        claims = {name: name for name in ("userId", "login", "email", "firstName", "lastName")}
        mappings = fi.ClaimMappings(userType="'Service'", groups="groups", **claims)
        common = {"issuer": f"https://{code}.example", "audience": "lusid-api", "claimMappings": mappings, "logoutUrl": "https://id.example/out"}
        created = self.ask(201, api.create_external_token_issuer, fi.CreateExternalTokenIssuerRequest(code=code, description="foreign", **common))[0]
        self.assertEqual((created.code, created.issuer, created.claim_mappings), (code, common["issuer"], mappings))
        self.assertEqual(self.ask(200, api.get_external_token_issuer, code)[0], created)
        self.assertIn(code, [one.code for one in self.ask(200, api.list_external_token_issuers)[0]])
        changed = self.ask(200, api.update_external_token_issuer, code, fi.UpdateExternalTokenIssuerRequest(**{**common, "audience": "other"}))[0]
        self.assertEqual(changed.audience, "other")
        self.refused((400, 409), None, api.create_external_token_issuer, fi.CreateExternalTokenIssuerRequest(code=code, **common))
        self.ask(204, api.delete_external_token_issuer, code)
        for gone in (api.get_external_token_issuer, api.delete_external_token_issuer):
            self.refused(404, None, gone, code)


class NetworkZones(Step):
    def test_a_zone_is_created_read_listed_updated_and_deleted(self):
        api, code = identity(fi.NetworkZonesApi), unique("zone")
        rules = fi.NetworkZonesApplyRules(sessionType=["AccessToken"], userRoles=["nobody-has-this-role"])
        addresses = [fi.IpAddressDefinition(type="CIDR", value="192.0.2.0/24", description="documentation"), fi.IpAddressDefinition(type="IP", value="192.0.2.1")]
        common = {"networkZoneIPs": addresses, "action": "NoOp", "applyRules": rules}
        created = self.ask(201, api.create_network_zone, fi.CreateNetworkZoneRequest(code=code, description="test", **common))[0]
        self.assertEqual((created.code, created.action, created.apply_rules, created.network_zone_ips), (code, "NoOp", rules, addresses))
        self.assertEqual(self.ask(200, api.get_network_zone, code)[0], created)
        self.assertIn(code, [one.code for one in self.ask(200, api.list_network_zones)[0]])
        changed = self.ask(200, api.update_network_zone, code, fi.UpdateNetworkZoneRequest(**{**common, "description": "changed", "hierarchy": created.hierarchy}))[0]
        self.assertEqual(changed.description, "changed")
        self.refused((400, 409), None, api.create_network_zone, fi.CreateNetworkZoneRequest(code=code, **common))
        nonsense = {**common, "networkZoneIPs": [fi.IpAddressDefinition(value="no address")]}
        self.refused(400, None, api.create_network_zone, fi.CreateNetworkZoneRequest(code=unique("zone"), **nonsense))
        self.ask(204, api.delete_network_zone, code)
        for gone in (api.get_network_zone, api.delete_network_zone):
            self.refused(404, None, gone, code)


class Logs(Step):
    def test_sign_ins_are_logged(self):
        person = Person(features("Identity", "identity-identitylogs-listuserlogs"))
        since = {"okta_since": datetime.now(timezone.utc) - timedelta(hours=1), "okta_until": datetime.now(timezone.utc) + timedelta(hours=1)}
        person.log_in_again()
        own = self.ask(200, identity(fi.IdentityLogsApi, person.token).list_user_logs, okta_limit=50, okta_sort_order="DESCENDING", **since)[0]
        self.assertTrue(own.values)
        self.assertEqual({one.actor.id for one in own.values}, {person.id})
        everyone = self.ask(200, identity(fi.IdentityLogsApi).list_logs, okta_limit=1000, okta_sort_order="DESCENDING", **since)[0]
        self.assertIn(person.id, {one.actor.id for one in everyone.values if one.actor})
        self.refused(403, 186, identity(fi.IdentityLogsApi, person.token).list_logs)


class Outside(Step):
    """What this control plane does not do it says aloud."""

    def test_cells_tools_provisioning_and_support_access_are_not_implemented(self):
        cells, tools, support = identity(fi.CellManagementApi), identity(fi.MCPToolsApi), identity(fi.AuthenticationApi)
        tool = fi.UpsertMcpToolRequest(name="tool", title="Tool", description="a tool")
        for method, arguments in (
            (cells.accept_cell_attachment, ()),
            (cells.detach_parent_cell, (fi.DetachParentCellRequest(confirm=False),)),
            (cells.get_cell_parent_status, ()),
            (cells.refuse_cell_attachment, ()),
            (cells.remove_primary_domain, ()),
            (cells.rotate_attaching_key, (fi.RotateAttachingKeyRequest(pat="x" * 64),)),
            (cells.rotate_domain_keys, ()),
            (cells.set_attaching_key, (fi.SetAttachingKeyRequest(pat="x" * 64, parentDomainName="parent"),)),
            (cells.set_parent_cell, (fi.SetParentCellRequest(adminDomainName="admin", confirm=False),)),
            (cells.set_primary_domain, ()),
            (tools.list_mcp_tools, ()),
            (tools.get_mcp_tool, ("default", "tool")),
            (tools.create_mcp_tool, ("default", "tool", tool)),
            (tools.update_mcp_tool, ("default", "tool", tool)),
            (tools.delete_mcp_tool, ("default", "tool")),
            (identity(fi.IdentityProviderApi).add_scim, ()),
            (identity(fi.IdentityProviderApi).remove_scim, ()),
            (support.get_support_access_history, ()),
            (support.get_support_roles, ()),
            (support.grant_support_access, (fi.SupportAccessRequest(duration="P1D"),)),
            (support.invalidate_support_access, ()),
        ):
            with self.subTest(method.__name__):
                self.refused(501, None, method, *arguments)


class Metadata(Step):
    def test_the_resources_and_endpoints_are_listed(self):
        api = identity(fi.ApplicationMetadataApi)
        self.assertIn("Feature", [one.name for one in self.ask(200, api.list_access_controlled_resources)[0].values])
        listed = self.ask(200, api.list_api_endpoints)[0]
        there = {one.operation.lower() for one in listed.endpoints}
        self.assertEqual({name.replace("_", "") for _, name in operations(fi)} - there, set())
