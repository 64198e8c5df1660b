"""What belongs to the account and not to a course: employees, trainers, categories and rooms.

The vendor prints samples for employees and rooms. For trainers and categories it prints none: fields are called as in
other samples.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from airflow_provider_lms.lms.listing.contract import about
from airflow_provider_lms.lms.listing.filters import ChoiceFilter
from airflow_provider_lms.lms.listing.offset_pager import OffsetPager
from airflow_provider_lms.lms.listing.query import Query
from airflow_provider_lms.lms.listing.records import Id, Record, WholeNumber
from airflow_provider_lms.lms.listing.spec import Listing
from airflow_provider_lms.lms.zoho_people.listings.api import ENVELOPE, PAGES, ids_to_text


class Employee(Record, kw_only=True):
    """An employee, by the form of this name in Zoho People.

    The forms API is not part of the LMS: the refresh token needs the scope ``ZOHOPEOPLE.forms.READ``. Each organization
    can change the form. All its other fields, which may be as personal as a birth date, are kept in ``extra``.
    """

    erecno: Annotated[Id, about("The employee record, which the LMS calls erecno.", personal="indirect")]
    employee_id: Annotated[
        str | None, about("The employee's number in the organization: EmployeeID.", personal="indirect")
    ] = None
    first_name: Annotated[str | None, about("The first name: FirstName.", personal="direct")] = None
    last_name: Annotated[str | None, about("The last name: LastName.", personal="direct")] = None
    email_id: Annotated[str | None, about("The e-mail address: EmailID.", personal="direct")] = None
    employee_status: Annotated[str | None, about("Such as Active: Employeestatus.", personal="indirect")] = None
    employee_type: Annotated[
        str | None, about("Such as Permanent: Employee_type.", known="seen", personal="indirect")
    ] = None
    department: Annotated[str | None, about("The department's name: Department.", personal="indirect")] = None
    department_id: Annotated[str | None, about("The department: Department.ID.", known="seen", personal="indirect")] = (
        None
    )
    designation: Annotated[str | None, about("The job title: Designation.", known="seen", personal="indirect")] = None
    location_name: Annotated[
        str | None, about("Where the employee works: LocationName.", known="seen", personal="indirect")
    ] = None
    role: Annotated[str | None, about("The role in Zoho People: Role.", known="seen", personal="indirect")] = None
    reporting_to: Annotated[
        str | None, about("The manager's name, with number: Reporting_To.", known="seen", personal="direct")
    ] = None
    reporting_to_id: Annotated[
        str | None,
        about("The manager: Reporting_To.ID.", known="seen", personal="indirect", references="employees"),
    ] = None
    reporting_to_email_id: Annotated[
        str | None, about("The manager's e-mail address: Reporting_To.MailID.", known="seen", personal="direct")
    ] = None
    date_of_joining: Annotated[
        str | None, about("The first day: Zoho's text, such as 05-Jun-2020.", known="seen", personal="indirect")
    ] = None
    date_of_exit: Annotated[str | None, about("The last day: Zoho's text.", known="seen", personal="indirect")] = None
    zuid: Annotated[str | None, about("The Zoho account: ZUID.", known="seen", personal="indirect")] = None
    modified_time: Annotated[
        WholeNumber | None,
        about("When the record was changed: milliseconds since 1970.", known="seen", personal="indirect"),
    ] = None


class Trainer(Record, kw_only=True):
    """A trainer."""

    erecno: Annotated[
        Id, about("The trainer's employee record.", known="assumed", personal="indirect", references="employees")
    ]
    employee_id: Annotated[
        str | None, about("The trainer's number in the organization.", known="assumed", personal="indirect")
    ] = None
    display_name: Annotated[str | None, about("The trainer's name.", known="assumed", personal="direct")] = None
    email_id: Annotated[str | None, about("The trainer's e-mail address.", known="assumed", personal="direct")] = None


class Category(Record, kw_only=True):
    """A category of courses."""

    category_id: Annotated[Id, about("The category.", known="assumed")]
    name: Annotated[str | None, about("Its name.", known="assumed")] = None


class Room(Record, kw_only=True):
    """A room for sessions."""

    room_id: Annotated[Id, about("The room.")]
    name: Annotated[str | None, about("Its name.")] = None
    capacity: Annotated[WholeNumber | None, about("How many people it holds.")] = None
    facilities: Annotated[Any, about("What it has, as texts such as WiFi.")] = None
    location_id: Annotated[str | None, about("The location: locationId in location.")] = None
    location_name: Annotated[str | None, about("The location's name: name in location.")] = None


def _records_of_form(content: Any) -> Any:
    """The page of a form as a list of rows. Zoho wraps it in ``response``, and each record in its id."""
    content = ids_to_text(content)
    response = content.get("response") if isinstance(content, dict) else None
    if not isinstance(response, dict):
        return content
    beside = {name: value for name, value in content.items() if name != "response"}
    return {**response, **beside} | ({"result": _rows(response["result"])} if "result" in response else {})


def _rows(result: Any) -> Any:
    if not isinstance(result, list):
        return result
    rows: list[Any] = []
    for each in result:
        records = each.values() if isinstance(each, dict) else ()
        if not records or not all(isinstance(found, list) for found in records):
            return result  # something else, which the decoder refuses
        rows += [
            {**fields, "erecno": record_id} if isinstance(fields, dict) else fields
            for record_id, found in each.items()
            for fields in found
        ]
    return rows


def _with_location(row: dict[str, Any], query: Query) -> dict[str, Any]:  # noqa: ARG001
    location = row.get("location")
    if not isinstance(location, dict):
        return row
    rest = {name: value for name, value in row.items() if name != "location"}
    return {**rest, "locationId": location.get("locationId"), "locationName": location.get("name")}


EMPLOYEES = Listing(
    name="employees",
    path="/../../people/api/forms/employee/getRecords",
    record=Employee,
    rows="result",
    # An empty page is error 7024. No field says whether more records follow.
    pager=OffsetPager(offset_param="sIndex", more_field="", first=1),
    envelope=replace(ENVELOPE, normalize=_records_of_form),
    key=("erecno",),
    params=(("limit", "200"),),
    aliases={
        "employeeId": "EmployeeID",
        "firstName": "FirstName",
        "lastName": "LastName",
        "emailId": "EmailID",
        "employeeStatus": "Employeestatus",
        "employeeType": "Employee_type",
        "department": "Department",
        "departmentId": "Department.ID",
        "designation": "Designation",
        "locationName": "LocationName",
        "role": "Role",
        "reportingTo": "Reporting_To",
        "reportingToId": "Reporting_To.ID",
        "reportingToEmailId": "Reporting_To.MailID",
        "dateOfJoining": "Dateofjoining",
        "dateOfExit": "Dateofexit",
        "zuid": "ZUID",
        "modifiedTime": "ModifiedTime",
    },
    source='Forms, "Get Bulk Records API"',
)

TRAINERS = Listing(
    name="trainers",
    path="/trainers",
    record=Trainer,
    rows="trainers",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("erecno",),
    filters=(ChoiceFilter("employee_status", "employeeStatus", ("active", "inactive"), owner="Zoho's statuses"),),
    aliases={"erecno": "trainerId"},
    source='LMS, "Fetch Trainers List"',
)

CATEGORIES = Listing(
    name="categories",
    path="/categories",
    record=Category,
    rows="categories",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("category_id",),
    aliases={"categoryId": "id", "name": "categoryName"},
    source='LMS, "Fetch categories"',
)

ROOMS = Listing(
    name="rooms",
    path="/rooms",
    record=Room,
    rows="rooms",
    pager=PAGES,
    envelope=ENVELOPE,
    key=("room_id",),
    complete=_with_location,
    source='LMS, "Fetch rooms"',
)
