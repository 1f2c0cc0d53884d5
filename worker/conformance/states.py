"""Probes of a record's life: how it may be made, changed, closed and what its errors look like."""

from __future__ import annotations

from typing import Any

from worker.conformance.organization import CannotTellError, Heard, Organization, accepted


#: A phone call's states and reasons (entity reference ``phonecall``).
OPEN = {"statecode": 0, "statuscode": 1}
MADE = {"statecode": 1, "statuscode": 2}

READ_ONLY = ("0x8004022e", "0x80040230")


async def closed(organization: Organization) -> Any:
    """A completed phone call is changed."""
    return _refused_as(await _change_completed(organization))


async def reopen(organization: Organization) -> Any:
    """A completed phone call that takes no change is opened by its state alone."""
    call = await _completed(organization)
    answer = await organization.ask("PATCH", f"phonecalls({call})", OPEN)
    return "allow" if accepted(answer) else "refuse"


async def create_closed(organization: Organization) -> Any:
    """A phone call is made completed."""
    call = organization.own("phonecalls")
    body = {"activityid": call, "subject": organization.name, **MADE}
    if not accepted(await organization.ask("POST", "phonecalls", body)):
        return "refuse"
    found = await organization.read(f"phonecalls({call})?$select=statecode")
    return "honour" if found["statecode"] == MADE["statecode"] else "reset"


async def state_alone(organization: Organization) -> Any:
    """A phone call gets a state without a reason."""
    call = await organization.make("phonecalls")
    answer = await organization.ask("PATCH", f"phonecalls({call})", {"statecode": 1})
    if answer.failed:
        raise CannotTellError(f"a state alone is refused ({answer})")
    found = await organization.read(f"phonecalls({call})?$select=statecode")
    return "default" if found["statecode"] == 1 else "ignore"


async def state_pair_status(organization: Organization) -> Any:
    """An open phone call gets the reason of a completed one."""
    call = await organization.make("phonecalls")
    answer = await organization.ask(
        "PATCH", f"phonecalls({call})", {"statecode": 0, "statuscode": 4}
    )
    if not answer.failed:
        raise CannotTellError("a reason of another state is accepted")
    return answer.status


async def code_style(organization: Organization) -> Any:
    """A phone call is read that is not there."""
    answer = await organization.ask("GET", f"phonecalls({organization.own('phonecalls')})")
    return answer.code if answer.code in ("", "0x0") else "hex"


async def stale_code(organization: Organization) -> Any:
    """A phone call is changed with an ETag that it no longer has."""
    call = await organization.make("phonecalls")
    old = (await organization.read(f"phonecalls({call})?$select=subject"))["@odata.etag"]
    await organization.ask("PATCH", f"phonecalls({call})", {"category": "changed"})
    answer = await organization.ask(
        "PATCH", f"phonecalls({call})", {"category": "again"}, {"If-Match": old}
    )
    return code_of(answer, ("0x80060882", ""))


async def segment_code(organization: Organization) -> Any:
    """A table is read that there is none of."""
    answer = await organization.ask("GET", "connectdynamicsconforms")
    return code_of(answer, ("0x80060888", "0x8006088a"))


async def bulk_everywhere(organization: Organization) -> Any:
    """CreateMultiple makes one phone call."""
    call = organization.own("phonecalls")
    row = {
        "@odata.type": "Microsoft.Dynamics.CRM.phonecall",
        "activityid": call,
        "subject": organization.name,
    }
    path = "phonecalls/Microsoft.Dynamics.CRM.CreateMultiple"
    answer = await organization.ask("POST", path, {"Targets": [row]})
    return "accept" if accepted(answer) else "refuse"


async def batch_failure(organization: Organization) -> Any:
    """A batch makes a phone call and then fails."""
    call = organization.own("phonecalls")
    body = f'{{"activityid":"{call}","subject":"{organization.name}"}}'
    root = organization.root
    answer = await _batch(
        organization,
        f"POST {root}phonecalls HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{body}",
        f"GET {root}connectdynamicsconforms HTTP/1.1\r\n\r\n",
    )
    if not answer.failed:
        raise CannotTellError("the batch does not fail")
    there = await organization.ask("GET", f"phonecalls({call})?$select=activityid")
    return "rolled back" if there.failed else "committed"


async def batch_line_ends(organization: Organization) -> Any:
    """A batch asks who we are, with ends of lines that are bare line feeds."""
    part = f"GET {organization.root}WhoAmI HTTP/1.1\r\n\r\n"
    return "any" if accepted(await _batch(organization, part, bare=True)) else "crlf"


async def tab_parameters(organization: Organization) -> Any:
    """An application tab template is made, and the parameters that belong to it are read."""
    unique = f"conform_{organization.run}"
    tab = await organization.make(
        "msdyn_applicationtabtemplates",
        msdyn_uniquename=unique,
        msdyn_title="conform",
        msdyn_pagetype=509180001,  # Entity Record
    )
    lookup = "_msdyn_applicationtabtemplateid_value"
    query = f"$select=msdyn_templateparameterid&$filter={lookup}%20eq%20{tab}"
    found = (await organization.read(f"msdyn_templateparameters?{query}"))["value"]
    for row in found:
        organization.take("msdyn_templateparameters", row["msdyn_templateparameterid"])
    return "made" if found else "absent"


def code_of(answer: Heard, codes: tuple[str, ...]) -> str:
    """The code of a refusal, which is to be one of these.

    Raises:
        CannotTellError: It is no refusal, or has another code.
    """
    if not answer.failed or answer.code not in codes:
        raise CannotTellError(f"answered {answer}, which the sandbox has no position for")
    return answer.code


async def _batch(organization: Organization, *parts: str, bare: bool = False) -> Heard:
    head = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    content = "".join(f"--batch_conform\r\n{head}{part}\r\n" for part in parts)
    content += "--batch_conform--\r\n"
    kind = {"Content-Type": "multipart/mixed; boundary=batch_conform"}
    text = content.replace("\r\n", "\n") if bare else content
    return await organization.ask("POST", "$batch", headers=kind, content=text)


async def _completed(organization: Organization) -> str:
    call = await organization.make("phonecalls")
    answer = await organization.ask("PATCH", f"phonecalls({call})", MADE)
    if answer.failed:
        raise CannotTellError(f"a phone call cannot be completed ({answer})")
    return call


async def _change_completed(organization: Organization) -> Heard:
    call = await _completed(organization)
    return await organization.ask("PATCH", f"phonecalls({call})", {"category": "changed"})


def _refused_as(answer: Heard) -> str:
    return code_of(answer, READ_ONLY) if answer.failed else "allow"
