"""Frame in, the same kind of frame out."""

from datetime import UTC, date, datetime

import polars as pl
import pyarrow as pa
import pytest
from corpusgate.filters.decide import VERDICT, Judge, bind, decide
from corpusgate.filters.errors import PolicyError, RegisterError, SchemaError
from corpusgate.filters.policy_file import parse_policy
from corpusgate.filters.registers import REGISTERS, RegisterSet, empty_register

EMPTY = RegisterSet(**{name: empty_register(name) for name in REGISTERS})
AS_OF = "2023-08-01T00:00:00Z"
PUBLIC = parse_policy("""
name: public-only
version: "1"
permit:
  - {id: public, when: surface = 'public_web', purposes: [pretraining], because: b, clause: c}
  - {id: own, when: org_id = $for_org, purposes: [custom_model], because: b, clause: c}
""")
FRAME = pl.DataFrame(
    {
        "text": ["x", "y", "z"],
        "record_id": ["3", "1", "2"],
        "surface": ["public_web", "consumer", None],
        "weight": [0.5, None, 2.0],
    }
)
REASONS = [
    ["public"],
    ["input:missing-user_id", "no-permit"],
    ["input:unknown-surface", "no-permit"],
]


def run(frame, policy=PUBLIC, registers=EMPTY, **arguments):
    return decide(
        frame, policy, registers, **({"purpose": "pretraining", "as_of": AS_OF} | arguments)
    )


@pytest.mark.parametrize(
    "kind", [pl.DataFrame, pl.LazyFrame, pa.Table], ids=lambda kind: kind.__name__
)
def test_same_kind_out_with_rows_and_columns_in_order(kind):
    given = {pl.DataFrame: FRAME, pl.LazyFrame: FRAME.lazy(), pa.Table: FRAME.to_arrow()}[kind]
    decided = run(given)
    assert isinstance(decided, kind)
    frame = decided.collect() if kind is pl.LazyFrame else pl.DataFrame(decided)
    assert frame.columns == [*FRAME.columns, *VERDICT]
    assert frame.select(FRAME.columns).equals(FRAME)
    assert frame["reasons"].to_list() == REASONS
    assert frame["reason"].to_list() == [reasons[0] for reasons in REASONS]
    assert frame["eligible"].to_list() == [True, False, False]
    assert frame.schema["reasons"] == pl.List(pl.String)


@pytest.mark.parametrize("rows", [FRAME, FRAME.lazy(), FRAME.to_arrow()])
@pytest.mark.parametrize("name", VERDICT)
def test_a_column_that_is_there_already(rows, name):
    if isinstance(rows, pa.Table):
        rows = rows.append_column(name, pa.nulls(3))
    else:
        rows = rows.with_columns(pl.lit(1).alias(name))
    with pytest.raises(SchemaError, match=f"column `{name}`: the frame has one already"):
        run(rows)


def test_a_lazy_frame_is_decided_whole_before_it_is_filtered():
    twice = pl.LazyFrame({"record_id": ["1", "1"], "surface": ["public_web"] * 2, "k": [0, 1]})
    for rest in (twice.pipe(run).filter(pl.col("k") == 0), twice.pipe(run).head(1)):
        assert rest.collect()["reason"].to_list() == ["input:duplicate-record_id"]


def test_no_rows():
    assert run(FRAME.clear()).height == 0
    assert run(FRAME.clear().to_arrow()).num_rows == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"purpose": "pretrain"},
            "purpose: unknown purpose `pretrain`. Did you mean `pretraining`?",
        ),
        ({"purpose": "custom_model"}, "for_org: goes with purpose custom_model"),
        ({"for_org": "acme"}, "for_org: goes with purpose custom_model"),
        ({"as_of": datetime(2023, 8, 1)}, "as_of: no time with an offset"),  # noqa: DTZ001
        ({"as_of": "2023-08-01T00:00:00"}, "as_of: no time with an offset"),
        ({"as_of": "yesterday"}, "as_of: no time with an offset"),
    ],
)
def test_arguments_that_make_no_sense(arguments, said):
    with pytest.raises(PolicyError) as caught:
        run(FRAME, **arguments)
    assert said in str(caught.value)


def test_own_model_only():
    rows = pl.DataFrame(
        {
            "record_id": ["1", "2", "3"],
            "surface": ["fine_tuning"] * 3,
            "org_id": ["acme", "other", None],
            "file_id": ["f"] * 3,
        }
    )
    decided = run(
        rows, purpose="custom_model", for_org="acme", as_of=datetime(2023, 8, 1, tzinfo=UTC)
    )
    assert decided["reason"].to_list() == ["own", "no-permit", "no-permit"]


READS = parse_policy("""
name: reads
version: "1"
forbid:
  - {id: gone, when: deleted, because: b, clause: c}
  - {id: out, when: opted_out_since, because: b, clause: c}
  - {id: search-only, when: business_plan IS NOT FALSE, purposes: [search], because: b, clause: c}
""")


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("deletions", "registers.deletions: no deletions register, but rules read it (gone)"),
        ("consent", "registers.consent: no consent register, but rules read it (out)"),
    ],
)
def test_registers_that_rules_read(missing, said):
    others = {name: empty_register(name) for name in REGISTERS if name != missing}
    with pytest.raises(RegisterError) as caught:
        run(FRAME, READS, RegisterSet(**others))
    assert str(caught.value).startswith(said)


def test_registers_that_no_rule_of_this_run_reads():
    others = {name: empty_register(name) for name in ("consent", "deletions")}
    run(FRAME, READS, RegisterSet(**others))


@pytest.mark.parametrize("count", [0, 20, 24, 25, 26, 27, 50, 60, 100])
def test_any_number_of_rules(count):
    rules = "\n".join(
        f"  - {{id: f{n}, when: region = 'r{n}', because: b, clause: c, surfaces: [human_review]}}"
        for n in range(count)
    )
    policy = parse_policy(f"""
name: many
version: "1"
forbid:
{rules or "  []"}
permit:
  - {{id: p, when: "TRUE", purposes: [search], because: b, clause: c}}
""")
    frame = pl.DataFrame(
        {
            "record_id": ["a", "b", "c"],
            "surface": ["human_review"] * 3,
            "region": ["eu", f"r{count - 1}", None],
        }
    )
    decided = run(frame, policy, purpose="search")
    unsure = [f"f{n}?" for n in range(count)]
    hit = [f"f{count - 1}"] if count else ["p"]
    assert decided["reasons"].to_list() == [["p"], hit, unsure or ["p"]]


def test_duplicates_and_those_known_to_stand_elsewhere():
    judge = Judge.prepare(bind(PUBLIC, purpose="pretraining", as_of=AS_OF), EMPTY)
    rows = pl.DataFrame({"record_id": ["1", "2", "2", None], "surface": ["public_web"] * 4})
    twice, none = "input:duplicate-record_id", "input:missing-record_id"
    assert judge(rows)["reason"].to_list() == ["public", twice, twice, none]
    assert judge(rows, pl.Series(["1"]))["reason"].to_list() == [twice, twice, twice, none]


def test_decisions_give_no_findings():
    """What PII reduction finds is said by the run, never by a decision alone."""
    assert not [
        reason for reasons in run(FRAME)["reasons"] for reason in reasons if "pii" in reason
    ]


@pytest.mark.parametrize("blank", ["", " "])
def test_no_model_for_nobody(blank):
    with pytest.raises(PolicyError):
        run(FRAME, purpose="custom_model", for_org=blank)


def test_as_of_out_of_range():
    with pytest.raises(PolicyError):
        run(FRAME, as_of="0001-01-01T00:00:00+10:00")


def test_a_date_is_no_time():
    with pytest.raises((PolicyError, AttributeError)):
        run(FRAME, as_of=date(2023, 8, 1))


@pytest.mark.parametrize(
    ("when", "due"),
    [
        ("TRUE", True),
        ("COALESCE($days BETWEEN $days AND 9, FALSE)", True),
        ("surface IS NOT NULL OR TRUE", True),
        ("FALSE", False),
    ],
)
def test_a_rule_that_parameters_settle_purges_as_any_other(when, due):
    policy = parse_policy(f"""
name: all-must-go
version: "1"
parameters: {{days: {{type: integer, value: 7}}}}
forbid:
  - {{id: gone, when: "{when}", because: b, clause: c, purge: {{deadline: $as_of}}}}
permit:
  - {{id: public, when: surface = 'public_web', purposes: [pretraining], because: b, clause: c}}
""")
    bound = bind(policy, purpose="pretraining", as_of=AS_OF)
    judged = Judge.prepare(bound, EMPTY)(FRAME.select("record_id", "surface"))
    moment = datetime(2023, 8, 1, tzinfo=UTC)
    assert judged["purge_reason"].to_list() == (["gone"] if due else [None]) * 3
    assert judged["purge_deadline"].to_list() == ([moment] if due else [None]) * 3


def test_units_that_are_looked_at_together_are_judged_apart():
    """An id twice in one unit is a duplicate, in two units it is not; types may differ."""
    judge = Judge.prepare(bind(PUBLIC, purpose="pretraining", as_of=AS_OF), EMPTY)
    units = [
        pl.DataFrame({"record_id": ids, "surface": ["public_web"] * len(ids)})
        for ids in (["a", "b"], ["b", "c", "c"], [], ["a", None, None])
    ]
    units.append(units[0].with_columns(pl.lit(None, pl.String).alias("model")))
    units.append(units[1].cast({"surface": pl.Categorical}))
    alone = pl.concat([judge.records([unit]) for unit in units])
    together = judge.records(units)
    assert together.equals(alone)
    assert together["duplicate_id"].to_list() == [
        *(False, False), *(False, True, True), *(False, False, False),
        *(False, False), *(False, True, True),
    ]  # fmt: skip
    assert judge.verdict(judge.facts(together)).equals(pl.concat([judge(unit) for unit in units]))
