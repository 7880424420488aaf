"""fbnconfig, the vendor's configuration as code, against the domain. Its log of what it has deployed is
kept behind the proxy, as custom entities of the core API."""

import os
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO

import fbnconfig
import finbourne_access as fa
import finbourne_identity as fi
from fbnconfig import access as ac
from fbnconfig import identity as ident

from sdk import Step, access, identity, unique
from stage import Stage

SINCE = "2024-08-31T18:00:00.0000000+00:00"


def selectors(scope):
    portfolios = [ac.ActionId(scope="default", activity="Any", entity="Portfolio")]
    desk = ac.MetadataExpression(metadata_key="Desk", operator="Equals", text_value="EQ")
    return [
        ac.IdSelector(name="by id", description="by id", identifier={"scope": scope, "code": "*"}, actions=portfolios),
        ac.MetadataSelector(actions=portfolios, expressions=[desk]),
        ac.MatchAllSelector(actions=[ac.ActionId(scope="default", activity="Read", entity="PortfolioGroup")]),
    ]


def a_policy(code, scope="US", **more):
    when = ac.WhenSpec(activate=SINCE)
    return ac.PolicyResource(
        id=code, code=code, description="a policy", applications=["LUSID"], grant=ac.Grant.ALLOW, selectors=selectors(scope), when=when, **more
    )


def conditions():
    relative = {"date": "Now", "adjustment": -7, "unit": "Day", "relative_to_date_time": "BeforeOrOn"}
    always = ac.AsAtPredicateContract(value="AsAt=Latest")
    return {
        "for_spec": [
            ac.EffectiveRange(**{"from": "2020-01-01T00:00:00+00:00", "to": "2030-01-01T00:00:00+00:00"}),
            ac.EffectiveDateRelative(**relative),
            ac.AsAtRelative(**relative),
            ac.AsAtRangeForSpec(**{"from": ac.AsAtPredicateContract(date_time_offset="2020-01-01T00:00:00+00:00"), "to": always}),
            ac.EffectiveDateHasQuality(quality="IsBusinessDayOfAnyMonth"),
        ],
        "if_spec": [
            ac.IfRequestHeaderExpression(header_name="X-Team", operator="EqualsCaseInsensitive", value="eq"),
            ac.IfIdentityClaimExpression(claim_type="groups", operator="NotPresent"),
            ac.IfIdentityScopeExpression(scope_name="offline_access"),
        ],
    }


class Deployment:
    """Resources in both systems that name each other; `changed` makes each of them another."""

    def __init__(self):
        self.name = unique("deployment")
        self.code = {kind: unique(f"fbn {kind}") for kind in ("policy", "conditional", "inner", "outer", "role", "template")}
        self.login, self.client = f"{unique('fbn')}@example.com", unique("fbn-client")

    def resources(self, changed=False):
        text = "changed" if changed else "first"
        policy = a_policy(self.code["policy"], "UK" if changed else "US")
        conditional = a_policy(self.code["conditional"], **conditions())
        inner = ac.PolicyCollectionResource(id="inner", code=self.code["inner"], description=text, policies=[conditional])
        outer = ac.PolicyCollectionResource(id="outer", code=self.code["outer"], policies=[policy] if changed else [], policy_collections=[inner])
        held = ac.PolicyIdRoleResource(policies=[conditional, policy], policy_collections=[] if changed else [outer])
        role = ac.RoleResource(
            id="role",
            code=self.code["role"],
            description=text,
            resource=ac.RoleResourceRequest(policy_id_role_resource=held),
            when=ac.WhenSpec(activate=SINCE),
            permission=ac.Permission.EXECUTE,
        )
        identity_role = ident.IdentityRoleResource(id="identity role", name=self.code["role"], description=text)
        user = ident.UserResource(
            id="user", first_name=text, last_name="Lovelace", email_address=self.login, login=self.login, type=ident.UserType.SERVICE
        )
        template = ac.PolicyTemplateResource(
            id="template",
            display_name=text,
            code=self.code["template"],
            description="a template",
            templated_selectors=[ac.TemplatedSelector(application="LUSID", tag="Data", selector=one) for one in selectors("US")],
        )
        application = ident.ApplicationResource(id="application", client_id=self.client, display_name=text, type=ident.ApplicationType.NATIVE)
        return [
            ac.RoleRef(id="administrator", scope="LUSID_SYSTEM", code="lusid-administrator"),
            ident.IdentityRoleRef(id="identity administrator", name="lusid-administrator"),
            ident.UserRef(id="owner", login="owner@example.com"),
            ident.CurrentUserRef(id="me"),
            policy, conditional, inner, outer, role, identity_role, user, template, application,
            ident.RoleAssignment(id="assignment", user=user, role=identity_role),
        ]  # fmt: skip

    def deploy(self, *resources):
        """What was done to each resource, by fbnconfig's own words; references are only looked up."""
        with redirect_stdout(StringIO()):
            actions = fbnconfig.deployex(fbnconfig.Deployment(self.name, list(resources)), Stage.current.domain.url, Stage.current.token())
        return {action.id: action.change for action in actions if action.change != "attach"}


class Fbnconfig(Step):
    @classmethod
    def setUpClass(cls):
        for _ in range(2):
            run("setup")

    def test_what_is_deployed_is_there_stays_changes_and_goes(self):
        deployment = Deployment()
        of = lambda *kinds: {deployment.code[kind] if kind in ("policy", "conditional") else kind for kind in kinds}
        kinds = of("policy", "conditional", "inner", "outer", "role", "identity role", "user", "template", "application", "assignment")
        self.assertEqual(deployment.deploy(*deployment.resources()), dict.fromkeys(kinds, "create"))
        self.assertEqual(access(fa.PoliciesApi).get_policy_collection(deployment.code["outer"]).policy_collections[0].code, deployment.code["inner"])
        again = deployment.deploy(*deployment.resources())
        # fbnconfig takes a user's dates, and an application whose secret is not told again, for differences.
        always = of("user", "application")
        self.assertEqual({id: change for id, change in again.items() if id not in always}, dict.fromkeys(kinds - always, "nochange"))
        changed = deployment.deploy(*deployment.resources(changed=True))
        still = of("conditional", "assignment")
        self.assertEqual(changed, {id: "nochange" if id in still else "update" for id in kinds})
        self.assertEqual(access(fa.RolesApi).get_role(deployment.code["role"]).description, "changed")
        self.assertIn(deployment.name, run("log", "list"))
        self.assertEqual(deployment.deploy(), dict.fromkeys(kinds, "remove"))
        self.refused(404, 772, access(fa.PoliciesApi).get_policy, deployment.code["policy"])
        self.refused(404, 604, access(fa.PoliciesApi).get_policy_collection, deployment.code["inner"])
        self.refused(404, None, access(fa.RolesApi).get_role, deployment.code["role"])
        self.refused(404, 660, identity(fi.RolesApi).get_role_by_code, deployment.code["role"])
        self.assertNotIn(deployment.login, [one.login for one in identity(fi.UsersApi).list_users()])

    def test_its_own_writing_of_features_does_not_keep_the_sdk_from_reading(self):
        deployment = Deployment()
        deployment.deploy(a_policy(deployment.code["policy"], if_spec=[ac.IfViaApiExpression(api_feature_codes="api-portfolios-*")]))
        expression = self.ask(200, access(fa.PoliciesApi).get_policy, deployment.code["policy"])[0].var_if[0].if_via_api_expression
        self.assertEqual(expression.api_feature_codes, ["api-portfolios-*"])
        self.ask(200, access(fa.PoliciesApi).list_policies)
        self.assertEqual(set(deployment.deploy().values()), {"remove"})

    def test_what_is_referred_to_but_missing_is_said_to_be_missing(self):
        for missing in (
            ac.PolicyRef(id="x", code="not there"),
            ac.PolicyCollectionRef(id="x", code="not there"),
            ac.RoleRef(id="x", code="not there"),
            ac.PolicyTemplateRef(id="x", code="not there"),
        ):
            with self.assertRaisesRegex(RuntimeError, "not found"):
                Deployment().deploy(missing)


def run(*arguments):
    """fbnconfig's command line, whose standard output it answers with."""
    environment = {**os.environ, "LUSID_ENV": Stage.current.domain.url, "FBN_ACCESS_TOKEN": Stage.current.token()}
    done = subprocess.run([sys.executable, "-m", "fbnconfig.main", *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
