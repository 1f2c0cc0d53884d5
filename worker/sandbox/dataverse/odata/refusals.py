"""The errors Dataverse answers with [DOC webapi/compose-http-requests-handle-errors].

Codes: [DOC reference/web-service-error-codes].
"""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from worker.sandbox.dataverse.schema.columns import Table


HELP_LINK = "http://go.microsoft.com/fwlink/?LinkID=398563"


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault
    """A request is refused.

    Attributes:
        status: HTTP status.
        code: Error code in hexadecimal, or "".
        message: May quote what was sent: for the answer only, never for a log.
        headers: More headers for the answer.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(f"HTTP {status} {code}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


def no_row(table: Table, record_id: str, status: int = 404) -> Refusal:
    """ObjectDoesNotExist."""
    message = f"{table.logical} With Id = {record_id} Does Not Exist"
    return Refusal(status, "0x80040217", message)


def no_row_by_key(table: Table, status: int = 404) -> Refusal:
    """RecordNotFoundByEntityKey."""
    message = f"A record with the specified key values does not exist in {table.logical} entity"
    return Refusal(status, "0x80060891", message)


def key_taken(code: str) -> Refusal:
    """DuplicateRecord: the primary key is there already."""
    return Refusal(412, code, "A record with matching key values already exists.")


def alternate_key_taken(columns: tuple[str, ...]) -> Refusal:
    """DuplicateRecordEntityKey."""
    names = ", ".join(columns)
    return Refusal(
        412,
        "0x80060892",
        f"Entity Key {names} violated. A record with the same value for {names} already exists. "
        "A duplicate record cannot be created. Select one or more unique values and try again.",
    )


def duplicate(status: int) -> Refusal:
    """DuplicateRecordsFound, by duplicate detection."""
    message = (
        "A record was not created or updated because a duplicate of the current record already "
        "exists."
    )
    return Refusal(status, "0x80040333", message)


def stale(code: str) -> Refusal:
    """ConcurrencyVersionMismatch."""
    message = "The version of the existing record doesn't match the RowVersion property provided."
    return Refusal(412, code, message)


def payload(entity_set: str, inner: str) -> Refusal:
    """A body that cannot be read as a record."""
    return Refusal(
        400,
        "0x80048d19",
        f"Error identified in Payload provided by the user for Entity :'{entity_set}', For more "
        f"information on this error please follow this help link {HELP_LINK}  ---->  "
        f"InnerException : {inner}",
    )


def undeclared(table: Table, name: str) -> Refusal:
    """A navigation property that is not there, or is written in another case."""
    return payload(
        table.entity_set,
        f"Microsoft.OData.ODataException: An undeclared property '{name}' which only has property "
        "annotations in the payload but no property value was found in the payload. In OData, only "
        "declared navigation properties and declared named streams can be represented as "
        "properties without values.",
    )


def null_bind(table: Table, nav: str) -> Refusal:
    """``"<nav>@odata.bind": null``."""
    return payload(
        table.entity_set,
        f"Microsoft.OData.ODataException: The 'odata.bind' instance or property annotation of "
        f"'{nav}' must have a non-null string value.",
    )


def two_binds(logical: str, entity_set: str, one: str, other: str) -> Refusal:
    """One lookup under two names; what an organisation says of it is not documented."""
    return payload(
        entity_set,
        f"Microsoft.Crm.CrmException: '{one}' and '{other}' are one attribute of {logical}.",
    )


def unexpected() -> Refusal:
    """UnExpected."""
    return Refusal(500, "0x80040216", "An unexpected error occurred.")


def unknown_column(table: Table, name: str) -> Refusal:
    """A column in a body that is not there (web-api-client-errors, "Invalid property")."""
    return payload(
        table.entity_set,
        f"Microsoft.Crm.CrmException: Invalid property '{name}' was found in entity "
        f"'{table.type}'. ---> Microsoft.OData.ODataException: Does not support untyped value in "
        "non-open type.",
    )


def wrong_type(entity_set: str, edm: str) -> Refusal:
    """A value of another type than its column's."""
    return payload(
        entity_set,
        f"Microsoft.OData.ODataException: Cannot convert a value to the expected type '{edm}'.",
    )


def lookup_as_value() -> Refusal:
    """``_x_value`` in a body."""
    message = (
        "CRM do not support direct update of Entity Reference properties, Use Navigation "
        "properties instead."
    )
    return Refusal(400, "0x80060888", message)


def too_long(logical: str, column: str, max_length: int) -> Refusal:
    """StringLengthTooLong."""
    return Refusal(
        400,
        "0x80044331",
        f"A validation error occurred.  The length of the '{column}' attribute of the "
        f"'{logical}' entity exceeded the maximum allowed length of '{max_length}'.",
    )


def no_xml(column: str, character: str) -> Refusal:
    """A character that XML cannot hold; the code is what organisations were seen to answer."""
    message = (
        f"Invalid character in field '{column}': '{character}', hexadecimal value "
        f"0x{ord(character):02X}, is an invalid character."
    )
    return Refusal(400, "0x80040278", message)


def out_of_range(table: Table, column: str) -> Refusal:
    """An Integer beyond its column's bounds."""
    message = (
        f"A validation error occurred.  The value of '{column}' on record of type "
        f"'{table.logical}' is outside the valid range."
    )
    return Refusal(400, "0x80044330", message)


def no_such_option(table: Table, column: str, value: int, options: str) -> Refusal:
    """A choice that is not there."""
    return Refusal(
        400,
        "0x8004431a",
        f"A validation error occurred. The value {value} of '{column}' on record of type "
        f"'{table.logical}' is outside the valid range. Accepted Values: {options}",
    )


def state_pair(table: Table, record_id: str, status: int, state: str, http: int) -> Refusal:
    """InvalidStateCodeStatusCode."""
    kind = table.logical.capitalize()
    message = (
        f"{status} is not a valid status code for state code {kind}State.{state} on "
        f"{table.logical} with Id {record_id}."
    )
    return Refusal(http, "0x80048408", message)


def closed(code: str) -> Refusal:
    """CannotUpdateBecauseItIsReadOnly, or …IsInactive; their HTTP status is not documented."""
    why = "read-only" if code == "0x8004022e" else "inactive"
    return Refusal(400, code, f"The object cannot be updated because it is {why}.")


def no_segment(code: str, segment: str) -> Refusal:
    """A path nobody knows."""
    return Refusal(404, code, f"Resource not found for the segment '{segment}'.")


def no_property(type_name: str, name: str) -> Refusal:
    """A column in a query that is not there."""
    return Refusal(
        400, "0x80060888", f"Could not find a property named '{name}' on type '{type_name}'."
    )


def no_attribute(logical: str, name: str) -> Refusal:
    """QueryBuilderNoAttribute: no column of that logical name."""
    return Refusal(
        400,
        "0x80041103",
        f"'{logical}' entity doesn't contain attribute with Name = '{name}' and "
        "NameMapping = 'Logical'.",
    )


def bad_query(message: str) -> Refusal:
    """A query that cannot be understood."""
    return Refusal(400, "0x80060888", message)


def not_allowed(method: str) -> Refusal:
    """A method this path does not have."""
    message = f"The requested resource does not support http method '{method}'."
    return Refusal(405, "0x80060888", message)


def invalid_argument(message: str) -> Refusal:
    """InvalidArgument."""
    return Refusal(400, "0x80040203", message)


def no_bulk(message_name: str, table: Table) -> Refusal:
    """A table without bulk messages; how a live organisation says so is not documented."""
    text = f"The '{message_name}' method does not support entities of type '{table.logical}'."
    return Refusal(400, "0x80040800", text)


def no_message(message_name: str, table: Table) -> Refusal:
    """A message that a table does not have, as Create on the table of a relation."""
    text = f"The '{message_name}' method does not support entities of type '{table.logical}'."
    return Refusal(400, "0x80040800", f"{text} MessageProcessorCache returned Empty.")


def bad_unique_name(table: Table) -> Refusal:
    """IsvAborted: a unique name without the form ``prefix_name``."""
    message = (
        f"The unique name of {table.logical} must be a prefix of 3 to 8 alphanumeric characters, "
        "an underscore and a name."
    )
    return Refusal(400, "0x80040265", message)


def already_related() -> Refusal:
    """DuplicateRecord: two rows are associated already; observed, but not documented."""
    return Refusal(412, "0x80040237", "Cannot insert duplicate key.")


def no_node(kind: str) -> Refusal:
    """An expression OData has and Dataverse does not; ``kind`` is OData's name of it.

    The text is documented for SingleValueOpenPropertyAccess [DOC webapi/query/aggregate-data].
    """
    return bad_query(f"The query node {kind} is not supported.")


def incompatible(left: str, right: str, operator: str) -> Refusal:
    """A comparison of values of two types."""
    return bad_query(
        "A binary operator with incompatible types was detected. Found operand types "
        f"'{left}' and '{right}' for operator kind '{operator}'."
    )


def too_deep() -> Refusal:
    """Something nested beyond what can be read: OData's own words for it."""
    return bad_query("Recursion depth exceeded allowed limit.")


def no_collection() -> Refusal:
    """An option of collections, for a single row."""
    return bad_query(
        "The query specified in the URI is not valid. The requested resource is not a collection. "
        "Query options $filter, $orderby, $count, $skip, and $top can be applied only on "
        "collections."
    )


def missing_privilege(user: str, privilege: str) -> Refusal:
    """PrivilegeDenied."""
    message = f"Principal user (Id={user}, type=8) is missing {privilege} privilege"
    return Refusal(403, "0x80040220", message)


def unknown_caller(code: str, user: str) -> Refusal:
    """A request in the name of nobody; neither status nor code is documented."""
    status, message = {
        "0x80072560": (403, "The user is not a member of the organization."),
        "0x80041d1f": (400, f"The user Id(s) [{user}] is invalid."),
        "0x80040217": (404, f"systemuser With Id = {user} Does Not Exist"),
    }[code]
    return Refusal(status, code, message)
