"""Schemathesis against the OpenAPI documents that the control plane serves: whatever is sent, no 5xx and no
answer that the document does not describe. The last line is `N passed, N failed`, one for each run."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import requests

from stage import Stage

EXAMPLES = os.environ.get("DOORWARD_EXAMPLES", "10")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
)
# Left out, each for its reason:
#   negative_data_rejection    unknown members and `null` are admitted, as the vendor's clients need them to be
#   positive_data_acceptance   a document cannot say that what a body names must be there, nor that a code must be free
#   unsupported_method         a too long address is 414 whatever the method; `steps_methods.py` asks every route by short ones
#   allow_header_conformance   `/policytemplates/$generatepolicy` is also a `/policytemplates/{code}`, and allows what that allows
#   missing_required_header    no operation has one but the token, and `ignored_auth` is about that
#   use_after_free, ensure_resource_availability   the steps ask each of these by name
# These end or change what the whole run logs in by, so they have a run of their own, at the end.
LAST = ("InvalidateToken", "SetPassword")
# What the identity service says aloud that it does not do.
ABSENT_TAGS = ("CellManagement", "MCPTools", "IdentityProvider")
ABSENT = ("GetSupportAccessHistory", "GetSupportRoles", "GrantSupportAccess", "InvalidateSupportAccess")


# Their selectors nest without end, and the coverage phase goes through thousands of ways to nest them.
DEEP = ("CreatePolicy", "UpdatePolicy", "CreatePolicyTemplate", "UpdatePolicyTemplate", "GeneratePolicyFromTemplate")


def config(document):
    """501 is no failure where it stands for what is not served, and only there; what nests without end is fuzzed alone."""
    absent = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict) and (operation.get("operationId") in ABSENT or set(operation.get("tags", ())) & set(ABSENT_TAGS))
    ]
    sections = [(DEEP, "phases.coverage.enabled = false"), (absent, 'checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "501"]')]
    return "".join(f"[[operations]]\ninclude-operation-id = {json.dumps(chosen)}\n{line}\n" for chosen, line in sections if chosen)


def run(stage, service, *selection):
    """One run of schemathesis over one document; true when it found nothing."""
    location = f"{stage.control}/{service}/swagger/v0/swagger.json"
    path = stage.write(f"schemathesis-{service}.toml", config(requests.get(location, timeout=60).json()))
    command = [str(pathlib.Path(sys.executable).parent / "schemathesis"), "--config-file", str(path), "run", location]
    command += ["--header", f"Authorization: Bearer {stage.token()}", "--checks", ",".join(CHECKS), "--max-examples", EXAMPLES]
    command += ["--seed", "1", "--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--no-color"]
    command += ["--generation-database", "none", "--request-timeout", "60", "--warnings", "off", "--output-sanitize", "false", *selection]
    return subprocess.run(command, cwd=stage.directory, check=False).returncode == 0


def main():
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    spare = [word for name in LAST for word in ("--exclude-operation-id", name)]
    only = [word for name in LAST for word in ("--include-operation-id", name)]
    runs = [("access", ()), ("identity", spare), ("identity", only)]
    passed = 0
    with tempfile.TemporaryDirectory(prefix="doorward-openapi-") as directory:
        stage = Stage(directory, f"sqlite:{directory}/doorward.db")
        try:
            for service, selection in runs:
                good = run(stage, service, *selection)
                passed += good
                print("ok    " if good else "FAILED", f"every answer of {service} is described", *selection[1::2], flush=True)
            if passed < len(runs):
                lines = (pathlib.Path(directory) / "control.log").read_text(errors="replace").splitlines()
                print("the end of what doorward control said:", *lines[-15:], sep="\n  ")
        finally:
            stage.close()
    print(f"{passed} passed, {len(runs) - passed} failed", flush=True)
    sys.exit(0 if passed == len(runs) else 1)


main()
