"""Users, their lives and their passwords, roles, and who one is, by the Identity SDK."""

from datetime import datetime, timedelta, timezone

import finbourne_identity as fi
import requests

from sdk import Step, identity, unique
from stage import Stage, wait_until
from writing import CHOSEN, Person, policy, set_up, update_of, user


def login():
    return f"{unique('user')}@example.com"


class Users(Step):
    def setUp(self):
        self.api, self.roles = identity(fi.UsersApi), identity(fi.RolesApi)

    def status(self, code):
        return self.ask(200, self.api.get_user, code)[0].status

    def test_personal_and_service_users_are_created_found_updated_and_deleted(self):
        for kind in ("Personal", "Service"):
            name = login()
            created, document = self.ask(200, self.api.create_user, user(name, kind), wait_for_reindex=True)
            self.assertEqual((created.login, created.type, created.status, created.external), (name, kind, "PROVISIONED", False))
            self.assertRegex(created.id, r"^[a-zA-Z0-9\-_]{8,64}$")
            self.assertIsInstance(document["links"], list)
            for found in ((self.api.get_user, created.id, {"include_roles": True}), (self.api.get_user_from_login, name, {})):
                again = self.ask(200, found[0], found[1], **found[2])[0]
                self.assertEqual((again.id, again.email_address, again.roles), (created.id, name, []))
            changed = self.ask(200, self.api.update_user, created.id, update_of(created, first_name="Augusta"))[0]
            self.assertEqual((changed.first_name, changed.last_name, changed.id, changed.type), ("Augusta", "Lovelace", created.id, kind))
            self.assertIn(created.id, [one.id for one in self.ask(200, self.api.list_users, include_deactivated=False)[0]])
            self.refused((400, 409), 658, self.api.create_user, user(name, kind))
            self.ask(204, self.api.delete_user, created.id)
            self.assertNotIn(created.id, [one.id for one in self.ask(200, self.api.list_users)[0]])
            everybody = {one.id: one.status for one in self.ask(200, self.api.list_users, include_deactivated=True)[0]}
            self.assertEqual(everybody[created.id], "DEPROVISIONED")
            self.ask(204, self.api.delete_user, created.id, purge=True)
            self.refused(404, 657, self.api.get_user, created.id)
            self.refused(404, 657, self.api.get_user_from_login, name)
        self.refused(404, 657, self.api.get_user, "00unotthere")
        self.refused(404, 657, self.api.update_user, "00unotthere", update_of(created))
        self.refused(404, 657, self.api.delete_user, "00unotthere", purge=True)

    def test_what_cannot_be_a_user_is_refused_with_its_field(self):
        for wrong in (
            user("a@b"),
            user(login(), "Robot"),
            user(f"{'x' * 80}@example.com"),
            user(login(), "Personal", secondEmailAddress="second@example.com"),
            user(login(), roles=[fi.RoleId(scope="default", code="not there")]),
        ):
            with self.subTest(wrong.login):
                self.refused((400, 404), None, self.api.create_user, wrong)
        one_letter = user(login())
        one_letter.last_name = "L"
        self.assertTrue(self.refused(400, None, self.api.create_user, one_letter)["errors"])

    def test_a_user_is_created_with_roles_and_other_ids(self):
        code = unique("born with")
        self.roles.create_role(fi.CreateRoleRequest(name=code))
        self.ask(200, self.api.update_user_schema, fi.UpdateUserSchemaRequest(alternativeUserIds=[fi.UserSchemaProperty(name="staff", description="its number")]))
        self.assertEqual(self.ask(200, self.api.get_user_schema)[0].alternative_user_ids[0].name, "staff")
        request = user(login(), roles=[fi.RoleId(scope="default", code=code)], secondEmailAddress="second@example.com", alternativeUserIds={"staff": "42"})
        created = self.ask(200, self.api.create_user, request)[0]
        seen = self.ask(200, self.api.get_user, created.id)[0]
        self.assertEqual([(one.role_id.scope, one.role_id.code) for one in seen.roles], [("default", code)])
        self.assertEqual((seen.second_email_address, seen.alternative_user_ids), ("second@example.com", {"staff": "42"}))

    def test_a_user_becomes_active_by_its_set_up_link_which_works_once(self):
        created = self.api.create_user(user(login(), "Personal"))
        set_up(created.id)
        self.assertEqual(self.status(created.id), "ACTIVE")
        made = Stage.current.call("POST", f"/identity/api/users/{created.id}/lifecycle/$setuplink").json()["link"]
        set_up(created.id, "another long enough one")
        self.assertEqual(requests.get(made, timeout=30).status_code, 410)

    def test_a_first_temporary_password_makes_a_user_active(self):
        for kind in ("Service", "Personal"):
            created = self.api.create_user(user(login(), kind))
            temporary = self.ask(200, self.api.expire_password, created.id)[0].password
            self.assertEqual(self.status(created.id), "PROVISIONED")
            self.assertEqual(Stage.current.log_in(created.login, temporary).status_code, 200)
            self.assertEqual(self.status(created.id), "ACTIVE")

    def test_a_temporary_password_works_until_the_user_has_chosen_one(self):
        for kind in ("Service",):
            created = self.api.create_user(user(login(), kind))
            set_up(created.id, "long enough, but not for long")
            temporary = self.ask(200, self.api.expire_password, created.id)[0].password
            self.assertGreaterEqual(len(temporary), 12)
            entered = Stage.current.log_in(created.login, temporary)
            self.assertEqual(entered.status_code, 200, entered.text)
            me = identity(fi.MeApi, entered.json()["access_token"])
            self.refused(400, (787, 157), me.set_password, fi.SetPassword(value="short"))
            self.ask(200, me.set_password, fi.SetPassword(value=CHOSEN))
            self.assertEqual(self.status(created.id), "ACTIVE")
            self.assertEqual(Stage.current.log_in(created.login, CHOSEN).status_code, 200)
            gone = Stage.current.log_in(created.login, temporary)
            self.assertEqual((gone.status_code, gone.json()["error"]), (400, "invalid_grant"))

    def test_an_expired_user_is_suspended_and_comes_back_with_the_same_password(self):
        person = Person(policy(unique("temporary")))
        before = self.ask(200, self.api.get_user, person.id)[0]
        token = person.token
        soon = datetime.now(timezone.utc) + timedelta(seconds=2)
        self.ask(200, self.api.update_user, person.id, update_of(before, user_expiry=soon))
        wait_until("the user is suspended", lambda: self.status(person.id) == "SUSPENDED")
        self.refused(401, 187, identity(fi.MeApi, token).get_user_info)
        refused = Stage.current.log_in(person.login, person.password)
        self.assertEqual((refused.status_code, refused.json()["error"]), (400, "invalid_grant"))
        later = datetime.now(timezone.utc) + timedelta(days=30)
        again = self.ask(200, self.api.update_user, person.id, update_of(before, user_expiry=later))[0]
        self.assertEqual((again.status, again.user_expiry.date()), ("ACTIVE", later.date()))
        self.ask(200, identity(fi.MeApi, person.log_in_again()).get_user_info)

    def test_the_steps_of_a_life_answer_as_they_should(self):
        person = Person(policy(unique("alive")))
        created = self.api.create_user(user(login(), "Personal"))
        self.ask(204, self.api.send_activation_email, created.id)
        self.refused((400, 403, 409), None, self.api.send_activation_email, person.id)
        self.ask(204, self.api.reset_factors, person.id)
        self.ask(204, self.api.reset_password, person.id)
        self.refused((400, 403, 409), 706, self.api.unlock_user, person.id)
        self.refused((400, 403, 409), None, self.api.unsuspend_user, person.id)
        for one in (self.api.expire_password, self.api.unlock_user, self.api.send_activation_email, self.api.reset_password, self.api.reset_factors):
            with self.subTest(one.__name__):
                self.refused(404, 657, one, "00unotthere")

    def test_too_many_wrong_passwords_lock_a_user_out_until_it_is_unlocked(self):
        person = Person(policy(unique("locked out")))
        policies = identity(fi.AuthenticationApi)
        for _ in range(policies.get_password_policy("Service").conditions.lockout.max_attempts):
            self.assertEqual(Stage.current.log_in(person.login, "not the password").status_code, 400)
        self.assertEqual(Stage.current.log_in(person.login, person.password).status_code, 400)
        self.assertEqual(self.status(person.id), "LOCKED_OUT")
        self.ask(204, self.api.unlock_user, person.id)
        self.assertEqual((self.status(person.id), Stage.current.log_in(person.login, person.password).status_code), ("ACTIVE", 200))

    def test_users_are_found_in_the_directory(self):
        created = self.api.create_user(user(login()))
        found = self.ask(200, self.api.find_users_by_id, [created.id, "00unotthere"])[0]
        self.assertEqual((found.values[created.id].login, list(found.values), list(found.failed)), (created.login, [created.id], ["00unotthere"]))
        self.ask(200, self.api.list_runnable_users)

    def test_a_deleted_user_is_signed_out_at_once(self):
        person = Person(policy(unique("leaver")))
        token = person.token
        self.ask(200, identity(fi.MeApi, token).get_user_info)
        self.ask(204, self.api.delete_user, person.id)
        self.refused(401, 187, identity(fi.MeApi, token).get_user_info)


class Roles(Step):
    def setUp(self):
        self.api = identity(fi.RolesApi)

    def test_a_role_is_created_found_updated_and_deleted(self):
        code = unique("identity role")
        created, document = self.ask(201, self.api.create_role, fi.CreateRoleRequest(name=code, description="why"))
        self.assertEqual(document["roleId"], {"scope": "default", "code": code})
        self.assertEqual(set(document), {"id", "roleId", "name", "description", "source", "samlName"})
        for found in ((self.api.get_role, created.id, {}), (self.api.get_role_by_code, code, {}), (self.api.get_role_by_code, code, {"scope": "default"})):
            self.assertEqual(self.ask(200, found[0], found[1], **found[2])[1], document)
        self.assertIn(code, [one.name for one in self.ask(200, self.api.list_roles)[0]])
        self.refused(409, None, self.api.create_role, fi.CreateRoleRequest(name=code))
        for wrong in ("ab", "1abc", "with.dot", "x" * 102):
            self.refused(400, None, self.api.create_role, fi.CreateRoleRequest(name=wrong))
        change = fi.UpdateRoleRequest(description="because")
        self.assertEqual(self.ask(200, self.api.update_role, created.id, update_role_request=change)[0].description, "because")
        self.ask(204, self.api.delete_role, created.id)
        for gone in (self.api.get_role, self.api.delete_role, self.api.list_users_in_role):
            self.refused(404, 660, gone, created.id)
        self.refused(404, 660, self.api.get_role_by_code, code)
        self.refused(404, 660, self.api.update_role, created.id, update_role_request=change)

    def test_the_administrator_is_there_and_stays(self):
        found = self.ask(200, self.api.get_role_by_code, "lusid-administrator", scope="LUSID_SYSTEM")[0]
        self.assertEqual((found.name, found.saml_name, found.source), ("lusid-administrator", "lusid:LUSID_SYSTEM:lusid-administrator", "LusidUser"))
        self.refused((400, 403), None, self.api.delete_role, found.id)

    def test_users_get_and_lose_roles(self):
        role = self.api.create_role(fi.CreateRoleRequest(name=unique("identity role")))
        users = identity(fi.UsersApi)
        created = users.create_user(user(login()))
        self.ask(204, self.api.add_user_to_role, role.id, created.id)
        self.ask(204, self.api.add_user_to_role, role.id, created.id)
        self.assertEqual([one.id for one in self.ask(200, self.api.list_users_in_role, role.id)[0]], [created.id])
        self.assertEqual([one.id for one in self.ask(200, users.get_user, created.id)[0].roles], [role.id])
        self.ask(204, self.api.remove_user_from_role, role.id, created.id)
        self.assertEqual(self.ask(200, self.api.list_users_in_role, role.id)[0], [])
        self.refused(404, 657, self.api.add_user_to_role, role.id, "00unotthere")
        self.refused(404, 660, self.api.add_user_to_role, "00gnotthere", created.id)


class Me(Step):
    def test_one_is_told_who_one_is(self):
        person = Person(policy(unique("me")))
        seen = self.ask(200, identity(fi.MeApi, person.token).get_user_info)[0]
        self.assertEqual((seen.id, seen.email_address, seen.type, seen.groups), (person.id, person.login, "Service", [person.code]))
        self.assertEqual(self.ask(200, identity(fi.MeApi).get_user_info)[0].groups, ["lusid-administrator"])

    def test_a_password_that_was_used_or_names_its_user_is_refused(self):
        person = Person(policy(unique("me")))
        me = identity(fi.MeApi, person.token)
        started = datetime.now(timezone.utc) - timedelta(seconds=5)
        self.refused(400, 787, me.set_password, fi.SetPassword(value=person.password))
        changed = self.ask(200, me.set_password, fi.SetPassword(value="another long enough one"))[0]
        self.assertGreaterEqual(changed.updated_at, started)
        self.assertEqual(Stage.current.log_in(person.login, "another long enough one").status_code, 200)


class Tokens(Step):
    def test_a_token_is_logged_out_by_its_holder(self):
        person = Person(policy(unique("logging out")))
        token = person.token
        self.ask(204, identity(fi.TokensApi, token).invalidate_token)
        self.refused(401, 187, identity(fi.MeApi, token).get_user_info)
        self.ask(200, identity(fi.MeApi, person.log_in_again()).get_user_info)
