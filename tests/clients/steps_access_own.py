"""What a caller may do, policy templates, and what can be put in policies, by the Access SDK."""

from datetime import datetime, timedelta, timezone

import finbourne_access as fa

from sdk import Step, access, operations, unique
from writing import SINCE, Person, action, by_id, features, ids, policy


def question(code, activity="Read", entity="Portfolio", scope="US", **more):
    metadata = more.pop("metadata", None)
    key = fa.RequestedActionKey(entityCode=entity, scope="default", activity=activity)
    return fa.EvaluationRequest(
        request=fa.RequestDetails(action=key, **more), resource=fa.ResourceDetails(id={"scope": scope, "code": code}, metadata=metadata)
    )


class Own(Step):
    def test_a_caller_asks_what_its_own_policies_grant(self):
        locked = {"for": [fa.ForSpec(effectiveRange=fa.EffectiveRange(**{"from": SINCE, "to": SINCE + timedelta(days=90)}))]}
        desk = fa.MetadataExpression(metadataKey="Desk", operator="Equals", textValue="EQ")
        by_desk = fa.MetadataSelectorDefinition(expressions=[desk], actions=[action("Any", "PortfolioGroup")])
        person = Person(
            policy(unique("granted"), by_id({"scope": "US", "code": "*"}, action("Any", "Portfolio"))),
            policy(unique("denied"), by_id({"scope": "US", "code": "secret"}, action("Any", "Portfolio")), grant="Deny"),
            policy(unique("locked"), by_id({"scope": "US", "code": "*"}, action("Update", "Portfolio")), grant="Deny", **locked),
            policy(unique("by desk"), fa.SelectorDefinition(metadataSelectorDefinition=by_desk)),
        )
        api, within = access(fa.PoliciesApi, person.token), SINCE + timedelta(days=30)
        metadata = {"Desk": [fa.EntitlementMetadata(provider="Acme", value="EQ")]}
        asked = {
            "own": question("growth"),
            "secret": question("secret"),
            "foreign": question("growth", scope="UK"),
            "update within": question("growth", "Update", fromEffectiveDate=within, toEffectiveDate=within),
            "update across": question("growth", "Update", fromEffectiveDate=SINCE - timedelta(days=9), toEffectiveDate=within),
            "update now": question("growth", "Update"),
            "by desk": question("group", entity="PortfolioGroup", metadata=metadata),
            "without desk": question("group", entity="PortfolioGroup", metadata={}),
        }
        answers, document = self.ask(200, api.evaluate, asked)
        granted = {key for key, answer in answers.items() if answer.result == "Granted"}
        self.assertEqual(granted, {"own", "update now", "by desk"})
        self.assertEqual({answer.result for answer in answers.values()}, {"Granted", "Denied"})
        self.assertEqual(set(document), set(asked))
        other = self.ask(200, api.evaluate, {"own": question("growth")}, applications=["Drive", "Insights"])[0]
        self.assertEqual(other["own"].result, "Denied", "policies of other applications only")
        self.assertEqual(self.ask(200, access(fa.PoliciesApi).evaluate, asked, applications=["LUSID"])[0]["foreign"].result, "Granted")

    def test_a_caller_sees_its_own_policies_and_the_role_of_each(self):
        person = Person(policy(unique("own"), description="mine", **{"for": [fa.ForSpec(effectiveRange=fa.EffectiveRange(**{"from": SINCE}))]}))
        collection, within = unique("own collection"), unique("within")
        access(fa.PoliciesApi).create_policy(policy(within))
        access(fa.PoliciesApi).create_policy_collection(fa.PolicyCollectionCreationRequest(code=collection, policies=ids(within)))
        request = fa.AddPolicyCollectionToRoleRequest(policyCollections=ids(collection, kind=fa.PolicyCollectionId))
        access(fa.RolesApi).add_policy_collection_to_role("default", person.code, request)
        api = access(fa.PoliciesApi, person.token)
        attached, document = self.ask(200, api.get_own_policies)
        self.assertEqual({one.id.code for one in attached}, {*person.codes, within})
        for one in attached:
            self.assertEqual((one.source_role.scope, one.source_role.code, one.policy_type), ("default", person.code, "Entitlement"))
            self.assertGreater(one.role_hierarchy_index, 1)
            self.assertTrue(one.selectors and one.when)
        self.assertIsInstance(document, list)
        self.assertEqual(self.ask(200, api.get_own_policies, applications=["Drive"])[0], [])

    def test_a_caller_without_the_feature_is_refused(self):
        person = Person(policy(unique("nothing much")))
        for call, arguments in (
            (access(fa.PoliciesApi, person.token).create_policy, (policy(unique("stolen")),)),
            (access(fa.PoliciesApi, person.token).list_policies, ()),
            (access(fa.RolesApi, person.token).delete_role, (person.code,)),
            (access(fa.UserRolesApi, person.token).list_user_roles, ()),
        ):
            with self.subTest(call.__name__):
                self.assertEqual(self.refused(403, 186, call, *arguments)["name"], "AccessDenied")
        for token in ("nonsense", person.token[:-8] + "AAAAAAAA"):
            self.assertEqual(self.refused(401, 187, access(fa.PoliciesApi, token).list_policies)["name"], "InvalidIdentityToken")

    def test_a_feature_policy_admits_to_one_operation(self):
        person = Person(features("Access", "access-policies-listpolicies"))
        api = access(fa.PoliciesApi, person.token)
        self.ask(200, api.list_policies)
        self.refused(403, 186, api.list_policy_collections)


class Templates(Step):
    def setUp(self):
        self.api = access(fa.PolicyTemplatesApi)
        self.code = unique("template")
        self.data = by_id({"scope": "US"}, action("Any", "Portfolio"))
        self.feature = by_id({"scope": "LUSID", "code": "*"}, action("Execute", "Feature"))
        self.more = {
            "displayName": "A template",
            "description": "for a test",
            "templatedSelectors": [
                fa.PolicyTemplatedSelector(application="LUSID", tag=tag, selector=selector) for tag, selector in (("Data", self.data), ("Feature", self.feature))
            ],
        }

    def test_a_template_is_created_read_listed_updated_and_deleted(self):
        before = datetime.now(timezone.utc)
        created, document = self.ask(201, self.api.create_policy_template, fa.PolicyTemplateCreationRequest(code=self.code, **self.more))
        self.assertEqual((created.scope, created.code, created.applications, created.tags), ("default", self.code, ["LUSID"], ["Data", "Feature"]))
        self.assertEqual(self.ask(200, self.api.get_policy_template, self.code, scope="default", as_at=datetime.now(timezone.utc))[1], document)
        listed = self.ask(200, self.api.list_policy_templates, filter=f"code eq '{self.code}'", sort_by="code", limit=5)[0]
        self.assertEqual([one.code for one in listed.values], [self.code])
        between = datetime.now(timezone.utc)
        change = fa.PolicyTemplateUpdateRequest(**{**self.more, "displayName": "Another"})
        self.assertEqual(self.ask(200, self.api.update_policy_template, self.code, policy_template_update_request=change)[0].display_name, "Another")
        self.assertEqual(self.ask(200, self.api.get_policy_template, self.code, as_at=between)[1], document)
        self.refused(404, 878, self.api.get_policy_template, self.code, as_at=before)
        named = f"code eq '{self.code}'"
        for time, names in ((before, []), (between, ["A template"]), (datetime.now(timezone.utc), ["Another"])):
            listed = self.ask(200, self.api.list_policy_templates, as_at=time, filter=named)[0]
            self.assertEqual([one.display_name for one in listed.values], names)
        self.refused((400, 409), 877, self.api.create_policy_template, fa.PolicyTemplateCreationRequest(code=self.code, **self.more))
        self.ask(204, self.api.delete_policy_template, self.code)
        self.refused(404, 878, self.api.get_policy_template, self.code)
        self.refused(404, 878, self.api.delete_policy_template, self.code)

    def test_a_policy_is_generated_from_templates_and_can_then_be_created(self):
        self.api.create_policy_template(fa.PolicyTemplateCreationRequest(code=self.code, **self.more))
        extra = by_id({"scope": "UK"}, action("Read", "Portfolio"))
        for tags, expected in ((None, [self.data, self.feature, extra]), (["Data"], [self.data, extra])):
            selection = [fa.TemplateSelection(scope="default", code=self.code, selectorTags=tags)]
            request = fa.GeneratePolicyFromTemplateRequest(templateSelection=selection, selectors=[extra])
            made = self.ask(200, self.api.generate_policy_from_template, request, as_at=datetime.now(timezone.utc))[0]
            self.assertEqual(made.selectors, expected)
            self.assertEqual([(one.scope, one.code) for one in made.template_metadata.template_selection], [("default", self.code)])
        generated = policy(unique("generated"), *made.selectors, templateMetadata=made.template_metadata)
        self.ask(201, access(fa.PoliciesApi).create_policy, generated)
        missing = fa.GeneratePolicyFromTemplateRequest(templateSelection=[fa.TemplateSelection(scope="default", code="not there")])
        self.refused((400, 404), 878, self.api.generate_policy_from_template, missing)


class Metadata(Step):
    def test_the_resources_that_policies_can_name_are_listed(self):
        listed, _ = self.ask(200, access(fa.ApplicationMetadataApi).list_access_controlled_resources)
        features = [one for one in listed.values if one.name == "Feature"]
        self.assertTrue(features, [one.name for one in listed.values])
        codes = {one.identifier["code"] for action in features[0].actions for one in action.limited_set}
        self.assertIn("access-policies-createpolicy", codes)
        for one in listed.values:
            self.assertTrue(one.actions and one.identifier_parts, one.name)

    def test_the_endpoints_are_listed(self):
        listed, _ = self.ask(200, access(fa.ApplicationMetadataApi).list_api_endpoints)
        there = {one.operation.lower() for one in listed.endpoints}
        self.assertEqual({name.replace("_", "") for _, name in operations(fa)} - there, set())
        self.assertIn(("PUT", "/access/api/roles/{code}"), {(one.http_method, one.path) for one in listed.endpoints})
