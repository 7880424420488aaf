"""Policies and policy collections by the Access SDK."""

import json
from datetime import datetime, timedelta, timezone

import finbourne_access as fa

from sdk import Step, access, unique
from stage import Stage
from writing import SINCE, action, by_id, ids, policy


def kinds_of_selectors():
    portfolios = [action("Read", "Portfolio"), action("Aggregate", "Portfolio")]
    expressions = [fa.MetadataExpression(metadataKey="Desk", operator=kind, textValue="1") for kind in fa.Operator if kind != "Undefined"]
    everything = fa.MatchAllSelectorDefinition(actions=portfolios, name="all", description="whatever")
    return [
        by_id({"domain": "Portfolio", "scope": "*", "code": "a-*"}, action("Any", "PropertyValue")),
        fa.SelectorDefinition(metadataSelectorDefinition=fa.MetadataSelectorDefinition(expressions=expressions, actions=portfolios, name="meta")),
        fa.SelectorDefinition(matchAllSelectorDefinition=everything),
        fa.SelectorDefinition(
            policySelectorDefinition=fa.PolicySelectorDefinition(
                identityRestriction={"scope": "default", "code": "team-*"},
                restrictionSelectors=[fa.SelectorDefinition(matchAllSelectorDefinition=everything)],
                actions=[action("Any", "Policy")],
            )
        ),
    ]


def kinds_of_for():
    relative = {"date": "FirstBusinessDayOfTheMonth", "adjustment": -7, "unit": "BusinessDay", "relativeToDateTime": "AfterOrOn"}
    return [
        fa.ForSpec(effectiveRange=fa.EffectiveRange(**{"from": SINCE, "to": SINCE + timedelta(days=366)})),
        fa.ForSpec(
            asAtRangeForSpec=fa.AsAtRangeForSpec(
                **{"from": fa.AsAtPredicateContract(dateTimeOffset=SINCE), "to": fa.AsAtPredicateContract(value="AsAt=Latest")}
            )
        ),
        fa.ForSpec(effectiveDateRelative=fa.EffectiveDateRelative(**relative)),
        fa.ForSpec(asAtRelative=fa.AsAtRelative(**relative)),
        fa.ForSpec(effectiveDateHasQuality=fa.EffectiveDateHasQuality(quality="IsBefore5pm")),
    ]


def kinds_of_if():
    operators = [kind for kind in fa.TextOperator if kind != "Undefined"]
    headers = [fa.IfRequestHeaderExpression(headerName="X-Team", operator=kind, value="a,b") for kind in operators]
    claim = fa.IfIdentityClaimExpression(
        claimType="groups", claimValueType="string", claimIssuer="a", claimOriginalIssuer="a", operator="EqualsCaseInsensitive", value="x"
    )
    return [fa.IfExpression(ifRequestHeaderExpression=header) for header in headers] + [
        fa.IfExpression(ifIdentityClaimExpression=claim),
        fa.IfExpression(ifIdentityScopeExpression=fa.IfIdentityScopeExpression(scopeName="offline_access")),
        fa.IfExpression(ifViaApiExpression=fa.IfViaApiExpression(apiFeatureCodes=["api-portfolios-*", "LUSID/x"], operator="NotIn")),
    ]


class Policies(Step):
    def setUp(self):
        self.api = access(fa.PoliciesApi)

    def test_a_policy_is_created_read_listed_updated_and_deleted(self):
        code = unique("a policy +")
        before = datetime.now(timezone.utc)
        created, document = self.ask(201, self.api.create_policy, policy(code, description="first"))
        self.assertEqual((created.id.scope, created.id.code, created.grant), ("default", code, "Allow"))
        self.assertIsInstance(document["links"], list)
        self.assertEqual(document["when"], {"activate": "2024-01-01T00:00:00.0000000+00:00", "deactivate": "9999-12-31T23:59:59.9999999+00:00"})
        self.assertEqual(self.ask(200, self.api.get_policy, code)[1], document)
        self.assertEqual(self.ask(200, self.api.get_policy, code, scope="default", as_at=datetime.now(timezone.utc))[1], document)
        between = datetime.now(timezone.utc)
        change = fa.PolicyUpdateRequest(description="second", grant="Deny", selectors=created.selectors, when=created.when)
        updated, _ = self.ask(200, self.api.update_policy, code, change)
        self.assertEqual((updated.description, updated.grant, updated.selectors), ("second", "Deny", created.selectors))
        for listed in (self.ask(200, self.api.list_policies), self.ask(200, self.api.list_policies, scope="default")):
            self.assertEqual([one.description for one in listed[0] if one.id.code == code], ["second"])
        self.assertEqual(self.ask(200, self.api.get_policy, code, as_at=between)[1], document)
        self.refused(404, 772, self.api.get_policy, code, as_at=before)
        self.ask(204, self.api.delete_policy, code)
        self.assertEqual(self.ask(200, self.api.get_policy, code, as_at=between)[1], document)
        self.refused(404, 772, self.api.get_policy, code, as_at=datetime.now(timezone.utc))
        for gone in (self.api.get_policy, self.api.delete_policy):
            self.refused(404, 772, gone, code)
        self.refused(404, 772, self.api.update_policy, code, change)

    def test_every_kind_of_selector_for_and_if_comes_back_as_it_was_sent(self):
        more = {
            "for": kinds_of_for(),
            "if": kinds_of_if(),
            "when": fa.WhenSpec(activate=SINCE, deactivate=SINCE + timedelta(days=9000)),
            "how": fa.HowSpec(type="anything", parameters=[fa.KeyValuePairOfStringToString(key="k", value="v")]),
            "templateMetadata": fa.TemplateMetadata(templateSelection=[fa.TemplateSelection(scope="default", code="some", selectorTags=["Data"])], buildAsAt=SINCE),
        }
        sent = policy(unique("everything"), *kinds_of_selectors(), **more)
        created, document = self.ask(201, self.api.create_policy, sent)
        for member in ("selectors", "var_for", "var_if", "when", "how", "template_metadata", "applications", "grant"):
            self.assertEqual(getattr(created, member), getattr(sent, member), member)
        self.assertEqual(self.ask(200, self.api.get_policy, sent.code)[1], document)

    def test_pages_hold_everything_once_filtered_and_sorted(self):
        codes = [unique("paged") for _ in range(5)]
        for code in codes:
            self.ask(201, self.api.create_policy, policy(code))
        wanted = "id.code startswith 'paged-' and id.scope eq 'default'"
        seen, page = [], None
        while True:
            listed, document = self.ask(200, self.api.page_policies, limit=2, filter=wanted, sort_by="-id.code", page=page)
            self.assertLessEqual(len(listed.values), 2)
            self.assertTrue(document["href"].startswith(f"{Stage.current.control}/access/api/policies/page"), document["href"])
            seen += [one.id.code for one in listed.values]
            page = listed.next_page
            if page is None:
                break
        self.assertEqual(seen, sorted(codes, reverse=True))
        self.refused(400, 689, self.api.page_policies, page="bm90IG91cnM=")
        self.refused(400, None, self.api.page_policies, filter="this is no filter")

    def test_what_cannot_be_a_policy_is_refused_with_its_field(self):
        code = unique("refused")
        self.ask(201, self.api.create_policy, policy(code))
        self.assertEqual(self.refused((400, 409), 613, self.api.create_policy, policy(code))["name"], "PolicyWithCodeAlreadyExists")
        undefined = fa.MetadataExpression(metadataKey="Desk", operator="Undefined", textValue="1")
        wrong = [
            policy("ab"),
            policy("1234"),
            policy("with.dot"),
            policy("page"),
            policy("x" * 101),
            policy(unique("refused"), fa.SelectorDefinition()),
            policy(unique("refused"), description="x" * 1025),
            policy(unique("refused"), by_id({}, action("Any", "Portfolio"))),
            policy(unique("refused"), by_id({"scope": "a"})),
            policy(
                unique("refused"),
                fa.SelectorDefinition(
                    metadataSelectorDefinition=fa.MetadataSelectorDefinition(expressions=[undefined], actions=[action("Any", "Portfolio")])
                ),
            ),
            policy(unique("refused"), **{"if": [fa.IfExpression()]}),
        ]
        for request in wrong:
            with self.subTest(request.code):
                problem = self.refused(400, None, self.api.create_policy, request)
                self.assertTrue(problem["errors"], problem)
        call = Stage.current.call("POST", "/access/api/policies", data="{", headers={"content-type": "application/json"})
        self.problem(call.status_code, call.headers, call.text, 400, None)

    def test_members_without_a_value_and_unknown_members_are_passed_over(self):
        code = unique("with nulls")
        selector = {"idSelectorDefinition": {"identifier": {"scope": "a"}, "actions": [{"scope": "default", "activity": "Any", "entity": "Portfolio"}]}}
        selector["idSelectorDefinition"] |= {"name": None, "description": None}
        body = {"code": code, "description": None, "applications": None, "grant": "Allow", "selectors": [selector], "for": None, "if": None}
        body |= {"when": {"activate": "2024-01-01", "deactivate": None}, "how": None, "templateMetadata": None, "somethingElse": {"a": 1}}
        for kind in ("application/json-patch+json", "application/json", "text/json", "application/vnd.any+json; charset=utf-8"):
            created = Stage.current.call("POST", "/access/api/policies", data=json.dumps(body), headers={"content-type": kind})
            self.assertEqual(created.status_code, 201, f"{kind}: {created.text}")
            self.assertEqual(set(created.json()) - {"applications"}, {"id", "grant", "selectors", "when", "links"})
            self.ask(204, self.api.delete_policy, code)


class PolicyCollections(Step):
    def setUp(self):
        self.api = access(fa.PoliciesApi)
        self.codes = [unique("collected") for _ in range(3)]
        for code in self.codes:
            self.api.create_policy(policy(code))

    def create(self, policies=(), collections=(), **more):
        code = unique("collection")
        request = fa.PolicyCollectionCreationRequest(
            code=code, policies=ids(*policies), policyCollections=ids(*collections, kind=fa.PolicyCollectionId), **more
        )
        return code, *self.ask(201, self.api.create_policy_collection, request)

    def test_a_collection_is_created_read_listed_updated_and_deleted(self):
        metadata = {"Desk": [fa.EntitlementMetadata(provider="Acme", value="EQ")]}
        code, created, document = self.create(self.codes[:2], description="two", metadata=metadata)
        self.assertEqual(document["id"], {"scope": "default", "code": code})
        self.assertEqual([one.code for one in created.policies], self.codes[:2], "in the order sent")
        self.assertEqual((document["policyCollections"], document["links"] is not None), ([], True))
        self.assertEqual(self.ask(200, self.api.get_policy_collection, code, scope="default")[1], document)
        for listed in (self.ask(200, self.api.list_policy_collections)[0], self.ask(200, self.api.page_policy_collections, limit=5000)[0].values):
            self.assertEqual([one.description for one in listed if one.id.code == code], ["two"])
        only = f"id.code eq '{code}'"
        self.assertEqual(len(self.ask(200, self.api.page_policy_collections, filter=only, sort_by="id.code")[0].values), 1)
        change = fa.PolicyCollectionUpdateRequest(policies=ids(self.codes[2]), policyCollections=[], description="one")
        updated, _ = self.ask(200, self.api.update_policy_collection, code, change)
        self.assertEqual(([one.code for one in updated.policies], updated.description), (self.codes[2:], "one"))
        self.ask(204, self.api.delete_policy_collection, code)
        for gone in (self.api.get_policy_collection, self.api.delete_policy_collection):
            self.refused(404, 604, gone, code)
        self.refused(404, 604, self.api.update_policy_collection, code, change)

    def test_policies_and_collections_are_added_to_a_collection_and_removed_from_it(self):
        inner, _, _ = self.create(self.codes[:1])
        outer, _, _ = self.create(self.codes[1:2])
        more = {"policies": ids(self.codes[2]), "policyCollections": ids(inner, kind=fa.PolicyCollectionId)}
        grown, _ = self.ask(200, self.api.add_to_policy_collection, outer, fa.AddToPolicyCollectionRequest(**more))
        self.assertEqual([one.code for one in grown.policies], self.codes[1:])
        self.assertEqual([one.code for one in grown.policy_collections], [inner])
        again, _ = self.ask(200, self.api.add_to_policy_collection, outer, fa.AddToPolicyCollectionRequest(**more), scope="default")
        self.assertEqual(again, grown, "what is there already is not there twice")
        shrunk, document = self.ask(200, self.api.remove_from_policy_collection, outer, fa.RemoveFromPolicyCollectionRequest(**more))
        self.assertEqual(([one.code for one in shrunk.policies], document["policyCollections"]), (self.codes[1:2], []))

    def test_a_collection_that_would_hold_itself_is_refused(self):
        innermost, _, _ = self.create(self.codes)
        inner, _, _ = self.create((), [innermost])
        outer, _, _ = self.create((), [inner])
        for code, within in ((innermost, outer), (innermost, inner), (inner, inner)):
            ring = {"policyCollections": ids(within, kind=fa.PolicyCollectionId)}
            with self.subTest(code=code, within=within):
                self.refused(400, None, self.api.add_to_policy_collection, code, fa.AddToPolicyCollectionRequest(**ring))
                self.refused(400, None, self.api.update_policy_collection, code, fa.PolicyCollectionUpdateRequest(**ring))
        self.assertEqual(self.ask(200, self.api.get_policy_collection, innermost)[1]["policyCollections"], [])

    def test_a_collection_of_what_is_not_there_is_refused(self):
        code, _, _ = self.create()
        for missing in ({"policies": ids("not there")}, {"policyCollections": ids("not there", kind=fa.PolicyCollectionId)}):
            request = fa.PolicyCollectionCreationRequest(code=unique("collection"), **missing)
            for problem in (
                self.refused(400, None, self.api.create_policy_collection, request),
                self.refused(400, None, self.api.add_to_policy_collection, code, fa.AddToPolicyCollectionRequest(**missing)),
            ):
                self.assertTrue(any(next(iter(missing)) in field for field in problem["errors"]), problem)
        self.refused((400, 409), 612, self.api.create_policy_collection, fa.PolicyCollectionCreationRequest(code=code))
