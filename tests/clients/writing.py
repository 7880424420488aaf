"""Short words for what steps write most: policies, roles, and users who can log in."""

import re
from datetime import datetime, timezone

import finbourne_access as fa
import finbourne_identity as fi
import requests

from sdk import access, identity, unique
from stage import Stage

SINCE = datetime(2024, 1, 1, tzinfo=timezone.utc)
CHOSEN = "chosen & quite+long % =é?"


def action(activity, entity, scope="default"):
    return fa.ActionId(scope=scope, activity=activity, entity=entity)


def by_id(identifier, *actions):
    return fa.SelectorDefinition(idSelectorDefinition=fa.IdSelectorDefinition(identifier=identifier, actions=list(actions)))


def policy(code, *selectors, grant="Allow", **more):
    """A request for a policy; without selectors it is about every portfolio."""
    chosen = list(selectors) or [by_id({"scope": "*", "code": "*"}, action("Any", "Portfolio"))]
    when = more.pop("when", fa.WhenSpec(activate=SINCE))
    return fa.PolicyCreationRequest(code=code, applications=["LUSID"], grant=grant, selectors=chosen, when=when, **more)


def features(application, *codes):
    """A request for a policy that lets operations be executed; it counts for every application."""
    selectors = [by_id({"scope": application, "code": code}, action("Execute", "Feature")) for code in codes]
    return fa.PolicyCreationRequest(code=unique("features"), grant="Allow", selectors=selectors, when=fa.WhenSpec(activate=SINCE))


def ids(*codes, kind=fa.PolicyId):
    return [kind(scope="default", code=code) for code in codes]


def resource(policies=(), collections=()):
    return fa.PolicyIdRoleResource(policies=ids(*policies), policyCollections=ids(*collections, kind=fa.PolicyCollectionId))


def role(code, policies=(), collections=(), **more):
    """A request for a role with these policies."""
    return fa.RoleCreationRequest(
        code=code, resource=fa.RoleResourceRequest(policyIdRoleResource=resource(policies, collections)), when=fa.WhenSpec(activate=SINCE), **more
    )


def role_update(policies=(), collections=(), **more):
    return fa.RoleUpdateRequest(
        resource=fa.RoleResourceRequest(policyIdRoleResource=resource(policies, collections)), when=fa.WhenSpec(activate=SINCE), **more
    )


def user(login, kind="Service", **more):
    """A request for a user."""
    return fi.CreateUserRequest(firstName="Ada", lastName="Lovelace", emailAddress=login, login=login, type=kind, **more)


def update_of(user_response, **more):
    """The request that leaves a user as it is, but for what is named."""
    kept = {name: getattr(user_response, name) for name in ("first_name", "last_name", "email_address", "login")}
    return fi.UpdateUserRequest(**{**kept, **more})


def set_up(user_id, password=CHOSEN):
    """Takes a user through its set-up link, as its browser would, to a password of its own."""
    made = Stage.current.call("POST", f"/identity/api/users/{user_id}/lifecycle/$setuplink")
    assert made.status_code == 200, made.text
    page = requests.get(made.json()["link"], timeout=30)
    assert page.status_code == 200, page.text
    form = {name: re.search(f'name="{name}" value="([^"]*)"', page.text)[1] for name in ("link", "username")}
    form |= {"password": password, "again": password}
    done = requests.post(f"{Stage.current.control}/console/setup", data=form, headers={"origin": Stage.current.control}, timeout=60)
    assert done.status_code == 200, done.text


class Person:
    """A service user with a password of its own, and a role in both systems that has these policies."""

    def __init__(self, *policies):
        users, self.code = identity(fi.UsersApi), unique("person")
        self.login = f"{self.code}@example.com"
        self.id = users.create_user(user(self.login)).id
        for request in policies:
            access(fa.PoliciesApi).create_policy(request)
        self.codes = [request.code for request in policies]
        access(fa.RolesApi).create_role(role(self.code, self.codes))
        self.role_id = identity(fi.RolesApi).create_role(fi.CreateRoleRequest(name=self.code)).id
        identity(fi.RolesApi).add_user_to_role(self.role_id, self.id)
        self.password = CHOSEN
        set_up(self.id)

    @property
    def token(self):
        return Stage.current.token(self.login, self.password)

    def log_in_again(self):
        Stage.current.tokens.pop(self.login, None)
        return self.token
