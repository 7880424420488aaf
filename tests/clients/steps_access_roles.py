"""Roles, their precedence, and user-roles by the Access SDK."""

import finbourne_access as fa
import finbourne_identity as fi

from sdk import Step, access, identity, unique
from writing import SINCE, ids, policy, resource, role, role_update, user


class Roles(Step):
    def setUp(self):
        self.api, self.policies = access(fa.RolesApi), access(fa.PoliciesApi)
        self.policy, self.collection = unique("role policy"), unique("role collection")
        self.policies.create_policy(policy(self.policy))
        self.policies.create_policy_collection(fa.PolicyCollectionCreationRequest(code=self.collection, policies=ids(self.policy)))

    def create(self, *arguments, **more):
        code = unique("role")
        return code, *self.ask(201, self.api.create_role, role(code, *arguments, **more))

    def ranked(self):
        """The codes of all roles as the list has them, which must be the order of their indices."""
        listed = self.ask(200, self.api.list_roles)[0]
        self.assertEqual([one.role_hierarchy_index for one in listed], sorted({one.role_hierarchy_index for one in listed}))
        return [one.id.code for one in listed]

    def test_a_role_is_created_read_listed_updated_and_deleted(self):
        code, created, document = self.create([self.policy], [self.collection], description="why")
        self.assertEqual(document["id"], {"scope": "default", "code": code})
        held = {"policies": [{"scope": "default", "code": self.policy}], "policyCollections": [{"scope": "default", "code": self.collection}]}
        self.assertEqual(document["resource"], {"policyIdRoleResource": held})
        self.assertEqual(document["when"], {"activate": "2024-01-01T00:00:00.0000000+00:00", "deactivate": "9999-12-31T23:59:59.9999999+00:00"})
        self.assertTrue(created.permission)
        self.assertEqual(self.ask(200, self.api.get_role, code)[1], document)
        self.assertEqual(self.ask(200, self.api.get_role, code, scope="default")[1], document)
        self.assertIn(code, [one.id.code for one in self.ask(200, self.api.list_roles, scope="default")[0]])
        updated, document = self.ask(200, self.api.update_role, code, role_update([]))
        self.assertEqual(document["resource"], {"policyIdRoleResource": {"policies": [], "policyCollections": []}})
        self.assertEqual(updated.role_hierarchy_index, created.role_hierarchy_index, "it keeps its place")
        self.ask(204, self.api.delete_role, code)
        for gone in (self.api.get_role, self.api.delete_role):
            self.refused(404, None, gone, code)
        self.refused(404, None, self.api.update_role, code, role_update([]))

    def test_a_role_is_moved_before_and_after_others(self):
        first, second, third = (self.create()[0] for _ in range(3))
        ours = lambda: [code for code in self.ranked() if code in (first, second, third)]
        self.assertEqual(ours(), [first, second, third], "a new role is the weakest")
        self.ask(200, self.api.update_role, third, role_update(), scope="default", before_scope="default", before_code=first)
        self.assertEqual(ours(), [third, first, second])
        self.ask(200, self.api.update_role, third, role_update(), after_code=first)
        self.assertEqual(ours(), [first, third, second])
        self.ask(200, self.api.update_role, first, role_update(), after_scope="default", after_code=second)
        self.assertEqual(ours(), [third, second, first])
        self.refused((400, 404), None, self.api.update_role, first, role_update(), before_code="not there")

    def test_the_administrator_stays_the_strongest(self):
        code, _, _ = self.create()
        system = {"before_scope": "LUSID_SYSTEM", "before_code": "lusid-administrator"}
        self.assertEqual(self.ranked()[0], "lusid-administrator")
        self.refused((400, 403), None, self.api.update_role, code, role_update(), **system)
        self.refused((400, 403), None, self.api.update_role, "lusid-administrator", role_update(), scope="LUSID_SYSTEM", after_code=code)
        self.refused((400, 403), None, self.api.delete_role, "lusid-administrator", scope="LUSID_SYSTEM")
        self.assertEqual(self.ranked()[0], "lusid-administrator")
        self.assertEqual(self.ask(200, self.api.get_role, "lusid-administrator", scope="LUSID_SYSTEM")[0].role_hierarchy_index, 1)

    def test_collections_are_added_to_a_role_and_removed_from_it(self):
        code, _, _ = self.create([self.policy])
        request = fa.AddPolicyCollectionToRoleRequest(policyCollections=ids(self.collection, kind=fa.PolicyCollectionId))
        grown, document = self.ask(200, self.api.add_policy_collection_to_role, "default", code, request)
        self.assertEqual(document["resource"]["policyIdRoleResource"]["policyCollections"], [{"scope": "default", "code": self.collection}])
        self.assertEqual(grown.resource.policy_id_role_resource.policies, ids(self.policy))
        shrunk = self.ask(200, self.api.remove_policy_collection_from_role, "default", code, "default", self.collection)[1]
        self.assertEqual(shrunk["resource"]["policyIdRoleResource"]["policyCollections"], [])
        self.refused(404, None, self.api.remove_policy_collection_from_role, "default", code, "default", self.collection)

    def test_what_cannot_be_a_role_is_refused(self):
        code, _, _ = self.create()
        self.refused((400, 409), 615, self.api.create_role, role(code))
        for missing in (role(unique("role"), ["not there"]), role(unique("role"), [], ["not there"])):
            self.assertTrue(self.refused(400, None, self.api.create_role, missing)["errors"])
        for wrong in ("ab", "1234", "with.dot", "lusid/x"):
            with self.subTest(wrong):
                self.assertTrue(self.refused(400, None, self.api.create_role, role(wrong))["errors"])

    def test_a_role_that_supervises_others_is_kept(self):
        supervised, _, _ = self.create()
        roles = fa.NonTransitiveSupervisorRoleResource(roles=[{"scope": "default", "code": supervised}])
        request = fa.RoleCreationRequest(
            code=unique("supervisor"), resource=fa.RoleResourceRequest(nonTransitiveSupervisorRoleResource=roles), when=fa.WhenSpec(activate=SINCE)
        )
        self.assertEqual(self.ask(201, self.api.create_role, request)[0].resource, request.resource)


class UserRoles(Step):
    def setUp(self):
        self.api, self.policies = access(fa.UserRolesApi), access(fa.PoliciesApi)
        self.codes = [unique("user policy") for _ in range(2)]
        for code in self.codes:
            self.policies.create_policy(policy(code))
        self.collection = unique("user collection")
        self.policies.create_policy_collection(fa.PolicyCollectionCreationRequest(code=self.collection, policies=ids(self.codes[0])))
        self.user = identity(fi.UsersApi).create_user(user(f"{unique('somebody')}@example.com")).id

    def held(self):
        document = self.ask(200, self.api.get_user_role, self.user)[1]["resource"]["policyIdRoleResource"]
        return [one["code"] for one in document["policies"]], [one["code"] for one in document["policyCollections"]]

    def test_a_user_role_is_created_read_listed_updated_and_deleted(self):
        request = fa.UserRoleCreationRequest(userId=self.user, resource=resource(self.codes[:1], [self.collection]))
        created, document = self.ask(200, self.api.create_user_role, request)
        self.assertEqual(document["id"], {"scope": "_users", "code": self.user})
        self.assertEqual(created.resource.policy_id_role_resource, request.resource)
        self.assertEqual(self.ask(200, self.api.get_user_role, self.user)[1], document)
        self.refused((400, 409), None, self.api.create_user_role, request)
        one = self.ask(200, self.api.list_user_roles, filter=f"id.code eq '{self.user}'", sort_by="id.code", limit=10)[0]
        self.assertEqual([role.id.code for role in one.values], [self.user])
        self.assertIn(self.user, [role.id.code for role in self.ask(200, self.api.list_user_roles)[0].values])
        update = fa.UserRoleUpdateRequest(resource=resource(self.codes[1:]))
        self.ask(200, self.api.update_user_role, self.user, update)
        self.assertEqual(self.held(), (self.codes[1:], []))
        self.ask(204, self.api.delete_user_role, self.user)
        self.refused(404, None, self.api.get_user_role, self.user)
        self.refused(404, None, self.api.delete_user_role, self.user)

    def test_policies_and_collections_are_added_to_a_user_role_and_removed_from_it(self):
        self.api.create_user_role(fa.UserRoleCreationRequest(userId=self.user, resource=resource()))
        self.ask(200, self.api.add_policy_to_user_role, self.user, fa.AddPolicyToRoleRequest(policies=ids(*self.codes)))
        collections = fa.AddPolicyCollectionToRoleRequest(policyCollections=ids(self.collection, kind=fa.PolicyCollectionId))
        self.ask(200, self.api.add_policy_collection_to_user_role, self.user, collections)
        self.assertEqual(self.held(), (self.codes, [self.collection]))
        self.ask(204, self.api.remove_policy_from_user_role, self.user, "default", self.codes[0])
        self.ask(204, self.api.remove_policy_collection_from_user_role, self.user, "default", self.collection)
        self.assertEqual(self.held(), (self.codes[1:], []))
        self.refused(404, None, self.api.remove_policy_from_user_role, self.user, "default", self.codes[0])
