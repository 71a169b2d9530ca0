"""Random policies: rules over random expressions, within what a policy file may say."""

from typing import Any

from corpusgate.filters.policy import RULE_COLUMNS
from corpusgate.filters.schema import SURFACES, Type
from hypothesis import strategies as st
from properties.expressions import expressions

Row = dict[str, Any]

_READ = (
    "surface",
    "org_id",
    "user_id",
    "model",
    "plan",
    "region",
    "org_consent_at_submission",
    "submitted_at",
    "license_ends_at",
    "deletion_requested_at",
    "opted_out_since",
    "business_plan",
    "zero_retention",
    "baa",
    "deleted",
    "on_hold",
)
_TABLE = tuple((name, RULE_COLUMNS[name]) for name in _READ)
_PURPOSES = ["pretraining", "alignment", "search", "analysis"]

PARAMETERS = {
    "earliest": {"type": "timestamp", "value": "2018-01-01T00:00:00Z"},
    "trainable_plans": {"type": "list", "value": ["free", "plus"]},
    "business_plans": {"type": "list", "value": ["team", "edu"]},
    "cutoff": {"type": "timestamp", "value": "2023-07-31T23:59:59.999998Z"},
    "retention": {"type": "duration", "value": "30 days"},
    "names": {"type": "list", "value": ["a", "free", "api", "ft:x"]},
    "nobody": {"type": "list", "value": []},
    "limit": {"type": "integer", "value": 7},
    "flag": {"type": "boolean", "value": True},
}

_conditions = expressions(_TABLE, depth=2).map(lambda sql: sql.text.strip())
# A policy under which every public record meets a forbid that is NULL is refused.
_careful = _conditions.map(lambda text: f"surface <> 'public_web' AND ({text})")
_total = _conditions.map(lambda text: f"COALESCE({text}, FALSE)")
_deadlines = expressions(_TABLE, Type.TIMESTAMP, depth=1).map(lambda sql: sql.text.strip())


def _rule(effect: str, number: int, draw: st.DrawFn) -> Row:
    rule: Row = {
        "id": f"{effect}-{number}",
        "because": "a reason",
        "clause": "C1",
        "when": draw(st.just("TRUE") | _total if effect == "permit" else _careful | _total),
    }
    if draw(st.booleans()):
        rule["surfaces"] = draw(st.lists(st.sampled_from(SURFACES), min_size=1, unique=True))
    if effect == "permit" or draw(st.integers(0, 3)) == 0:
        rule["purposes"] = draw(st.lists(st.sampled_from(_PURPOSES), min_size=1, unique=True))
    if effect == "forbid" and draw(st.booleans()):
        rule["purge"] = {"deadline": draw(_deadlines)}
    return rule


@st.composite
def policies(draw: st.DrawFn, most: int = 4) -> Row:
    """Give a policy as plain data, to be written as YAML or judged by the oracle."""
    return {
        "name": "random",
        "version": "1",
        "parameters": PARAMETERS,
        "forbid": [_rule("forbid", n, draw) for n in range(draw(st.integers(0, most // 2)))],
        "permit": [_rule("permit", n, draw) for n in range(draw(st.integers(0, most)))],
    }
