"""A policy file: every fault at once, each in its place; nothing dropped in silence."""

import pytest
from corpusgate.filters.errors import PolicyError
from corpusgate.filters.policy_file import parse_policy

PERMIT = 'permit: [{id: pub, when: "TRUE", because: b, clause: c, purposes: [pretraining]}]'


def policy(forbid="", permit=PERMIT, parameters=""):
    return parse_policy(
        f"name: p\nversion: 1\nparameters: {{{parameters}}}\nforbid: [{forbid}]\n{permit}\n",
        "p.yaml",
    )


def refused(**parts):
    with pytest.raises(PolicyError) as caught:
        policy(**parts)
    return [str(fault) for fault in caught.value.faults]


def forbid(**keys):
    rule = {"id": "f", "when": "deleted", "because": "b", "clause": "c"} | keys
    return "{" + ", ".join(f"{key}: {value}" for key, value in rule.items()) + "}"


def permit(**keys):
    rule = {"purposes": "[pretraining]"} | keys
    return f"permit: [{forbid(**rule)}]"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"forbid": forbid(id="F")}, "4:11 forbid[0].id: not a usable id"),
        ({"forbid": forbid(id="no-permit")}, "4:11 forbid[0].id: not a usable id"),
        ({"forbid": forbid(id='"a\\n"')}, "4:11 forbid[0].id: not a usable id"),
        ({"forbid": forbid(id="pub")}, "5:11 permit[0].id: two rules have the id `pub`"),
        ({"forbid": forbid(surfaces="[apis]")}, "forbid[0].surfaces: unknown surface `apis`. Did"),
        ({"forbid": forbid(surfaces="[]")}, "forbid[0].surfaces: an empty list"),
        ({"forbid": forbid(purposes="[x]")}, "forbid[0].purposes: unknown purpose `x`. One of"),
        ({"forbid": forbid(claus="c")}, "forbid[0].claus: unknown key. Did you mean `clause`?"),
        ({"forbid": forbid(because='""')}, "forbid[0].because: "),
        ({"forbid": forbid(when="1")}, "forbid[0].when: wrong type or value"),
        ({"forbid": forbid(when="org_id")}, "forbid[0].when: a string where a boolean is wanted"),
        ({"forbid": forbid(when="orgid = 'a'")}, ", character 1 forbid[0].when: unknown column"),
        ({"forbid": forbid(purge="{deadline: org_id}")}, "purge.deadline: a string where a timest"),
        (
            {"forbid": forbid(purge="{when: $as_of}")},
            "forbid[0].purge.deadline: this key is missing",
        ),
        ({"forbid": "{when: deleted}"}, "forbid[0].id: this key is missing. Add it"),
        ({"forbid": "null"}, "4:10 forbid[0]: wrong type or value"),
        ({"permit": permit(purposes="null")}, "permit[0].purposes: permit `f` names no purposes"),
        ({"permit": permit(purposes="[]")}, "permit[0].purposes: an empty list"),
        ({"permit": permit(purge="{deadline: $as_of}")}, "permit[0].purge: permit `f` has a purge"),
        (
            {"permit": permit(purposes="[custom_model]")},
            "permit[0].when: permit `f` allows custom_model for any organisation's data. Add `org",
        ),
        ({"permit": "permits: []"}, "5:1 permits: unknown key. Did you mean `permit`?"),
        ({"permit": PERMIT + "\nname: q"}, "6:1 name: this key stands here twice"),
        (
            {"forbid": forbid(when="org_id = 'a'")},
            "forbid[0].when: forbid `f` is NULL, so holds, for every public record. Ask first",
        ),
        (
            {"parameters": "as_of: {type: string, value: x}"},
            "parameters.as_of: this name is reserv",
        ),
        ({"parameters": "A: {type: string, value: x}"}, "parameters.A: not a parameter name"),
        (
            {"parameters": "a: {type: strin, value: x}"},
            "unknown type `strin`. Did you mean `string`",
        ),
        (
            {"parameters": "a: {type: integer, value: 1.5}"},
            "its value is not an integer. Write a wh",
        ),
        ({"parameters": "a: {type: string, value: 1}"}, "parameters.a: its value is not a string"),
        (
            {"parameters": "a: {type: boolean, value: yes}"},
            "its value is not a boolean. Write true",
        ),
        ({"parameters": "a: {type: timestamp, value: 2023-03-01}"}, "its value is not a timestamp"),
        ({"parameters": "a: {type: duration, value: 1 month}"}, "its value is not a duration"),
        ({"parameters": "a: {type: list, value: [a, 1]}"}, "its value is not a list"),
        ({"parameters": "earliest: {type: string, value: x}"}, "`earliest` must be a timestamp"),
        ({"parameters": "a: {typ: string}"}, "parameters.a.typ: unknown key. Did you mean `type`?"),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else None,
)
def test_refused(parts, said):
    assert any(said in fault for fault in refused(**parts)), refused(**parts)


def test_every_fault_at_once_in_the_order_of_the_file():
    found = refused(
        parameters="a: {type: strin, value: x}",
        forbid=", ".join(
            [forbid(id="A", when="orgid = 'a'"), "{id: x}", forbid(surfaces="[apis]")]
        ),
        permit=permit(purposes="null") + "\nextra: 1",
    )
    places = [fault.split(": ")[0] for fault in found]
    for place in ("parameters.a", "forbid[0].id", "forbid[0].when", "forbid[1].when"):
        assert any(where.endswith(place) for where in places), places
    for place in ("forbid[2].surfaces", "permit[0].purposes", "extra"):
        assert any(where.endswith(place) for where in places), places
    lines = [int(where.split(":")[0]) for where in places]
    assert lines == sorted(lines)


@pytest.mark.parametrize("text", ["", "- a", "a", "name: x", "name: [", "forbid: deleted"])
def test_what_is_no_policy(text):
    with pytest.raises(PolicyError):
        parse_policy(text)


def test_the_smallest_policy_and_a_boolean_condition():
    read = policy(forbid=forbid(when="true"))
    assert (read.version, read.forbids[0].text) == ("1", "TRUE")


def test_an_empty_id_is_a_fault():
    assert refused(forbid=forbid(id='""'))


def test_a_forbid_that_is_null_where_no_organisation_is_set():
    assert refused(forbid=forbid(when="\"$for_org = 'acme'\""))


def test_versions_are_as_written():
    assert parse_policy(f"name: p\nversion: 1.10\n{PERMIT}").version == "1.10"


@pytest.mark.parametrize(
    "written",
    [
        "{type: timestamp, value: '0001-01-01T00:00:00+10:00'}",
        "{type: duration, value: 999999999 weeks}",
    ],
)
def test_parameters_out_of_range(written):
    assert refused(parameters=f"a: {written}")
