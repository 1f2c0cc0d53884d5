"""What Entra's refusals mean: a table of AADSTS codes and of what to do about each.

Source: entra-docs ``identity-platform/reference-error-codes``; 7000112, 700024 and 1002012, which
it leaves out, from Microsoft's troubleshooting articles and its libraries' sources. The guide
(infra/troubleshoot.md) has the same table.
"""

from __future__ import annotations

import re

from collections.abc import Mapping
from typing import Any, Final

from worker.dynamics.errors import DynamicsError, Unauthorized, Unavailable


#: Codes of conditions that pass by themselves.
PASSING_CODES: Final = frozenset({50033, 90006, 90012, 90024, 90025, 90033})
PASSING_ERRORS: Final = frozenset({"temporarily_unavailable", "server_error"})

#: What an operator can do.
ADVICE: Final[Mapping[int, str]] = {
    # The secret or certificate.
    7000222: "the client secret has expired: create a new one and store it",
    7000215: "the client secret is wrong: store its value, not its id",
    70002: "the client secret is wrong: store its value, not its id",
    700027: "the certificate is not the one registered with the application: upload its public "
    "part there, and mind that key and thumbprint belong together",
    50012: "the certificate is not the one registered with the application, or has expired: upload "
    "a valid one's public part there",
    700024: "the signed request is not within its time: synchronise this machine's clock",
    700025: "the application is a public client, which has no secret: set 'Allow public client "
    "flows' to No in its registration",
    # The application and the tenant.
    700016: "the application is not in this tenant: check client id and tenant, and which cloud "
    "they are in",
    700011: "the application is not in this tenant: check client id and tenant, and which cloud "
    "they are in",
    70001: "the application is disabled or not in this tenant: check client id and tenant",
    7000112: "the application is disabled: enable it under Enterprise applications, Properties, "
    "'Enabled for users to sign-in'",
    7000229: "the application has no service principal in this tenant: consent to it, which makes "
    "one under Enterprise applications",
    90002: "the tenant is unknown: check it, and whether it is in the environment's cloud",
    900023: "the tenant is neither an id nor a domain: write the directory (tenant) id",
    90013: "a setting holds something that cannot be: check tenant, client id and scope",
    50034: "the account is not in this tenant: check tenant and client id",
    50194: "tokens are asked for without a tenant: write the directory (tenant) id, not 'common'",
    9001023: "tokens are asked for without a tenant: write the directory (tenant) id, not 'common'",
    50059: "the tenant is missing: write the directory (tenant) id",
    90038: "the tenant is in another cloud: remove CONNECT_DYNAMICS_AUTHORITY, or set it to that "
    "cloud's",
    900382: "application and environment are in different clouds: register the application in the "
    "environment's cloud",
    900432: "application and environment are in different clouds: register the application in the "
    "environment's cloud",
    # The environment, as scope.
    500011: "the tenant does not know the environment in the scope: check the environment's "
    "address, that it is this tenant's, and CONNECT_DYNAMICS_SCOPE",
    50001: "the environment in the scope is unknown or disabled: check the environment's address "
    "and CONNECT_DYNAMICS_SCOPE",
    500014: "the environment's service is disabled in this tenant: enable 'Dataverse' under "
    "Enterprise applications, or renew the subscription",
    1002012: "the scope must end in /.default: remove CONNECT_DYNAMICS_SCOPE",
    70011: "the scope is invalid: remove CONNECT_DYNAMICS_SCOPE",
    28002: "the scope is invalid: remove CONNECT_DYNAMICS_SCOPE",
    # What the tenant's administrators allow.
    53003: "a Conditional Access policy blocks the application: exclude it from the policy, or "
    "allow the addresses that the worker comes from",
    530035: "security defaults block the request: allow the application by a Conditional Access "
    "policy instead",
    50105: "the application must be assigned: assign it to Dataverse's enterprise application, or "
    "turn 'Assignment required' off there",
    501051: "the application must be assigned: assign it to Dataverse's enterprise application, or "
    "turn 'Assignment required' off there",
    65001: "nobody has consented to the application in this tenant: grant admin consent",
    650057: "the application's registration does not list Dynamics CRM: add it under API "
    "permissions, or remove CONNECT_DYNAMICS_SCOPE",
    50196: "tokens were asked for too often: stop what restarts the worker again and again",
    90055: "the tenant has too many requests: stop what restarts the worker again and again",
}

_CODE: Final = re.compile(r"AADSTS(\d{4,9})")


def read_refusal(answer: Mapping[str, Any]) -> DynamicsError:
    """The error that an OAuth error answer stands for, naming the AADSTS code and what to do."""
    found = _CODE.search(str(answer.get("error_description", "")))
    number = int(found.group(1)) if found else 0
    code = f"AADSTS{number}" if found else ""
    name = str(answer.get("error", ""))
    if number in PASSING_CODES or name in PASSING_ERRORS:
        return Unavailable(f"Entra is busy {code}".rstrip(), code=code)
    advice = ADVICE.get(number, "see Entra's list of AADSTS error codes")
    return Unauthorized(f"Entra refuses a token {code}: {advice}".replace(" :", ":"), code=code)
