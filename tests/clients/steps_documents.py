"""The curl lines of the documents that this project began with, as they stand there, by a real bash and curl.

In `documents/`, each `.curl` is the line and each `.json` the answer that the document shows for it.
"""

import json
import pathlib
import re
import subprocess

from sdk import Step
from stage import Stage

DOCUMENTS = pathlib.Path(__file__).parent / "documents"
# Prints the status on a line of its own below the answer; all else is the document's own call.
CURL = """curl() { command curl --silent --show-error --write-out '\\n%{http_code}\\n' "$@"; }\n"""


def line_of(name):
    """The document's line with our domain and token. It is printed there on several lines, without the
    backslashes that a shell wants and indented by no-break spaces, which a shell takes for words: each line
    that begins with an option is joined to the one before by a blank. No-break spaces inside the body stay."""
    text = (DOCUMENTS / f"{name}.curl").read_text(encoding="utf-8")
    text = re.sub(r"\n\s+(-[A-Za-z] )", r" \1", text)
    text = text.replace("https://<your-domain>.lusid.com", Stage.current.control)
    return re.sub(r"<your-(api-)?access-token>", Stage.current.token(), text)


def run(name):
    done = subprocess.run(["bash", "-c", CURL + line_of(name)], capture_output=True, text=True, check=True, timeout=60)
    body, status, _ = done.stdout.rsplit("\n", 2)
    return int(status), json.loads(body)


def shown(name):
    # The document indents with no-break spaces, which are no white space to JSON.
    return json.loads((DOCUMENTS / f"{name}.json").read_text(encoding="utf-8").replace("\u00a0", " "))


class Documents(Step):
    def test_a_user_role_is_created_by_the_line_of_the_document(self):
        status, answer = run("user-role")
        self.assertEqual(status, 200, answer)
        self.assertEqual({name: answer[name] for name in shown("user-role")}, shown("user-role"))

    def test_a_role_is_created_in_both_systems_by_the_lines_of_the_document(self):
        status, answer = run("identity-role")
        self.assertEqual(status, 201, answer)
        expected = shown("identity-role")
        # The id is the system's own: of the same form, but another.
        self.assertRegex(answer["id"], r"^00g[0-9A-Za-z]{17}$")
        expected["id"] = answer["id"]
        self.assertEqual({name: answer[name] for name in expected}, expected)
        status, answer = run("access-role")
        self.assertEqual(status, 201, answer)
        self.assertEqual(answer["id"], expected["roleId"])
        self.assertEqual(answer["resource"], {"policyIdRoleResource": {"policies": [], "policyCollections": []}})
        self.assertEqual(set(answer["when"]), {"activate", "deactivate"})
