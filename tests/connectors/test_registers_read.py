"""Registers as their sources hold them: nothing lost, nothing guessed, nothing told."""

import datetime as dt
import gzip
import pickle
import sqlite3
import sys
import traceback
from contextlib import closing
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpusgate.connectors.registers import read_register
from corpusgate.filters.errors import RegisterError

SECRET = "s3cr3t-cell"  # noqa: S105 - stands for a value that no message may carry
UTC = dt.UTC


def refused(tmp_path, uri, *said, name="consent"):
    """Read, expect a refusal that says `said`, and nothing in it or behind it that is secret."""
    with pytest.raises(RegisterError) as caught:
        read_register(name, uri, tmp_path)
    error = caught.value
    told = [str(error), repr(error), *traceback.format_exception(error)]
    assert error.__context__ is None  # what a log collector would unfold
    assert error.__cause__ is None
    assert not [text for text in told if SECRET in text]
    assert error.where == f"registers.{name}"
    assert error.fix
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes
    for part in said:
        assert part in str(error)
    return error


def sqlite(path, *statements):
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            if isinstance(statement, tuple):
                connection.executemany(*statement)
            else:
                connection.execute(statement)
        connection.commit()


# --- files ---------------------------------------------------------------------------------------


def packed(text, suffix):
    data = text if isinstance(text, bytes) else text.encode()
    if suffix.endswith(".gz"):
        return gzip.compress(data, mtime=0)
    return pa.compress(data, codec="zstd", asbytes=True) if suffix.endswith(".zst") else data


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.zst"])
def test_csv_is_text_and_an_empty_field_is_null(tmp_path, suffix):
    text = '\ufeffid,choice,at\r\n007,opt_in,2023-01-01\r\n\r\n"sø,""ren""\n2",,\r\n,"",x\r\n'
    (tmp_path / f"c{suffix}").write_bytes(packed(text, suffix))
    read = read_register("consent", f"c{suffix}", tmp_path)
    assert not read.typed
    assert read.source == f"c{suffix}"
    assert set(read.table.schema.types) == {pa.string()}
    assert read.table.to_pydict() == {
        "id": ["007", 'sø,"ren"\n2', None],
        "choice": ["opt_in", None, None],
        "at": ["2023-01-01", None, "x"],
    }


@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.zst"])
def test_json_lines_keep_their_types_and_leave_times_as_text(tmp_path, suffix):
    text = (
        '{"id": "é", "surfaces": [], "at": "2023-01-01T00:00:00+02:00"}\n\n'
        '{"surfaces": ["api"], "id": "2023-01-01", "at": null, "flag": true, "never": null}'
    )
    (tmp_path / f"c{suffix}").write_bytes(packed(text, suffix))
    read = read_register("consent", f"c{suffix}", tmp_path)
    assert read.typed
    assert read.table.to_pydict() == {
        "id": ["é", "2023-01-01"],
        "surfaces": [[], ["api"]],
        "at": ["2023-01-01T00:00:00+02:00", None],
        "flag": [None, True],
        "never": [None, None],
    }
    assert read.table.schema.field("at").type == pa.string()
    assert read.table.schema.field("never").type == pa.null()


def test_json_types_do_not_depend_on_where_a_batch_ends(tmp_path):
    late = '{"id": "a", "n": null, "s": []}\n' * 70_000 + '{"id": "b", "n": 7, "s": ["x"]}\n'
    (tmp_path / "c.jsonl").write_text(late)
    table = read_register("consent", "c.jsonl", tmp_path).table
    assert table.schema.types == [pa.string(), pa.int64(), pa.list_(pa.string())]
    assert table.slice(69_999).to_pylist() == [
        {"id": "a", "n": None, "s": []},
        {"id": "b", "n": 7, "s": ["x"]},
    ]
    for rows in (65_536, 5):  # the odd one in a batch of its own, or with others
        (tmp_path / "c.jsonl").write_text('{"id": "a"}\n' * rows + '{"id": 5}')
        refused(tmp_path, "c.jsonl", "mixes types", "in the column `id`")


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_files_packed_one_after_the_other_are_read_to_the_end(tmp_path, suffix):
    parts = packed('{"id": "a"}\n', suffix) + packed('{"id": "b"}\n', suffix)
    (tmp_path / f"c.jsonl{suffix}").write_bytes(parts)
    table = read_register("consent", f"c.jsonl{suffix}", tmp_path).table
    assert table.to_pydict() == {"id": ["a", "b"]}


def test_parquet_comes_with_its_types_and_without_its_dictionaries_and_notes(tmp_path):
    table = pa.table(
        {
            "id": pa.array(["é", "b"]).dictionary_encode(),
            "at": pa.array([0, None], pa.timestamp("us", "UTC")),
            "surfaces": pa.array([["api"], None], pa.list_(pa.string())),
        }
    ).replace_schema_metadata({"writer": "note"})
    pq.write_table(table, tmp_path / "c.parquet")
    read = read_register("consent", (tmp_path / "c.parquet").as_uri(), tmp_path)
    assert read.typed
    assert read.table.schema.metadata is None
    assert read.table.schema.types == [
        pa.string(),
        pa.timestamp("us", "UTC"),
        pa.list_(pa.string()),
    ]
    assert read.table.to_pylist() == table.to_pylist()


def test_an_int96_time_far_ahead_stays_ahead(tmp_path):
    far = dt.datetime(9999, 12, 31)  # noqa: DTZ001 - INT96 has no zone
    table = pa.table({"scope_until": pa.array([far], pa.timestamp("us"))})
    pq.write_table(table, tmp_path / "d.parquet", use_deprecated_int96_timestamps=True)
    read = read_register("deletions", "d.parquet", tmp_path).table
    assert read["scope_until"].to_pylist() == [far]


def test_a_folder_or_glob_is_one_register_in_the_order_of_names(tmp_path):
    for name, value in [("b.parquet", "2"), ("a.parquet", "1"), ("_old.parquet", "0")]:
        (tmp_path / "r").mkdir(exist_ok=True)
        pq.write_table(pa.table({"id": [value]}), tmp_path / "r" / name)
    for uri in ("r", "r/*.parquet"):
        read = read_register("consent", uri, tmp_path)
        assert read.table.to_pydict() == {"id": ["1", "2"]}
        assert read.source == uri


def test_hive_partitions_of_a_register_are_columns(tmp_path):
    for choice in ("opt_in", "opt_out"):
        folder = tmp_path / f"r/choice={choice}/surface=__HIVE_DEFAULT_PARTITION__"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"id": [choice[4:]]}), folder / "x.parquet")
    table = read_register("consent", "r", tmp_path).table
    assert table.to_pydict() == {
        "id": ["in", "out"],
        "choice": ["opt_in", "opt_out"],
        "surface": [None, None],
    }


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.csv", "", "without even a line of column names"),
        ("c.csv", f"a,b\n1,2\n{SECRET},2,3\n", "3 fields in the row that ends in line 3"),
        ("c.csv", f"a,b\n1,2\n{SECRET}\n", "1 fields in the row that ends in line 3"),
        ("c.csv", f'a,b\n1,"{SECRET}\n2,3\n4,5\n', "unclosed quote"),
        ("c.csv", f'a,b\n1,"{SECRET}"x\n', "misplaced or unclosed quote"),
        ("c.csv", f"a,a\n{SECRET},2\n", "more than one column called `a`"),
        ("c.csv", b"a,b\n1,s3cr3t-cell\xff\n", "is not UTF-8"),
        (
            "c.csv.gz",
            gzip.compress(f"a,b\n1,{SECRET}\n".encode(), mtime=0)[:-8],
            "cut short or damaged",
        ),
        ("c.csv.gz", f"a,b\n1,{SECRET}\n", "cut short or damaged"),
        ("c.jsonl", f'{{"id": "a"}}\n\n{{"id": "{SECRET}\n', "line 3"),
        ("c.jsonl", f'{{"id": "a"}}\n["{SECRET}"]\n', "line 2: not a JSON object"),
        ("c.jsonl", f'{{"id": "a", "id": "{SECRET}"}}\n', "line 1"),
        ("c.jsonl", f'{{"id": "{SECRET}", "n": NaN}}\n', "line 1"),
        ("c.jsonl", f'{{"id": 1}}\n{{"id": "{SECRET}"}}\n', "mixes types"),
        ("c.jsonl", '{"id": "\\ud800"}\n', "broken text, in the column `id`"),
        ("c.jsonl", '{"id": 9223372036854775808}\n', "beyond 64 bits"),
        ("c.jsonl", b'{"id": "s3cr3t-cell\xff"}\n', "line 1"),
        ("c.jsonl", "[" * 100_000, "line 1"),
        (
            "c.jsonl.zst",
            pa.compress(SECRET.encode() * 999, codec="zstd", asbytes=True)[:-9],
            "cut short",
        ),
        ("c.parquet", f"PAR1{SECRET}", "damaged or not what its name says"),
        ("c.txt", SECRET, "not of one known format: unknown"),
        ("c.parquet.gz", SECRET, "not of one known format: unknown"),
    ],
)
def test_a_file_that_is_not_whole_and_clear_is_refused(tmp_path, name, text, said):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(tmp_path, name, said)


def test_an_empty_register_is_read_as_one(tmp_path):
    (tmp_path / "c.csv").write_text("id,choice")
    (tmp_path / "c.jsonl").write_text("\n")
    sqlite(tmp_path / "c.db", "CREATE TABLE consent (id TEXT, choice TEXT)")
    for uri, columns in [("c.csv", 2), ("c.jsonl", 0), ("sqlite:///c.db", 2)]:
        table = read_register("consent", uri, tmp_path).table
        assert (table.num_rows, table.num_columns) == (0, columns)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("missing.csv", "`missing.csv` matches no file"),
        ("missing/*.parquet", "does not exist"),
        (f"s3://key:{SECRET}@bucket/c.parquet", "holds credentials or options"),
        (f"mysql://u:{SECRET}@host/db", "the scheme `mysql` is not supported"),
        (f"host=db user=u password={SECRET}", "neither a path nor the URI of a database"),
        (f"postgresql:/u:{SECRET}@host/db", "neither a path nor the URI of a database"),
    ],
)
def test_a_source_that_is_not_there_is_refused_without_showing_a_password(tmp_path, uri, said):
    refused(tmp_path, uri, said)


def test_files_of_one_register_have_one_format_and_one_set_of_columns(tmp_path):
    pq.write_table(pa.table({"id": ["a"], "purposes": [["search"]]}), tmp_path / "c1.parquet")
    pq.write_table(pa.table({"id": ["b"]}), tmp_path / "c2.parquet")
    refused(tmp_path, "*.parquet", "c1.parquet", "c2.parquet", "`purposes`")
    (tmp_path / "c3.csv").write_text("id\nc\n")
    refused(tmp_path, "c*", "csv, parquet")
    pq.write_table(pa.table({"id": [1], "purposes": [["x"]]}), tmp_path / "c2.parquet")
    refused(tmp_path, "*.parquet", "mixes types in the column `id`")


def test_parquet_text_that_is_not_utf8_is_refused(tmp_path):
    data = pa.array([b"s3cr3t-cell\xff"]).cast(pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 1, data.buffers())
    pq.write_table(pa.table({"id": broken}), tmp_path / "c.parquet")
    refused(tmp_path, "c.parquet", "the column `id`", "UTF-8")


# --- SQLite --------------------------------------------------------------------------------------


def test_sqlite_types_are_those_of_all_rows_not_of_the_first(tmp_path):
    sqlite(
        tmp_path / "r.db",
        "CREATE TABLE consent (id TEXT, n INTEGER, late, label, ratio, flag BOOLEAN, flags BOOLEAN,"
        " never TEXT, raw BLOB)",
        ("INSERT INTO consent (n) VALUES (?)", [(None,)] * 3000),
        (
            "INSERT INTO consent VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                ("é", 7, "text", 12, 1, 1, 1, None, b"\xff"),
                ("007", 2**53 + 1, "more", "x", 0.5, 0, 2, None, b""),
            ],
        ),
    )
    table = read_register("consent", "sqlite:///r.db", tmp_path).table
    assert dict(zip(table.column_names, table.schema.types, strict=True)) == {
        "id": pa.string(),
        "n": pa.int64(),
        "late": pa.string(),
        "label": pa.string(),
        "ratio": pa.float64(),
        "flag": pa.bool_(),
        "flags": pa.int64(),
        "never": pa.null(),
        "raw": pa.binary(),
    }
    assert table.num_rows == 3002
    assert table.slice(2999).to_pydict() == {
        "id": [None, "é", "007"],
        "n": [None, 7, 2**53 + 1],
        "late": [None, "text", "more"],
        "label": [None, "12", "x"],
        "ratio": [None, 1.0, 0.5],
        "flag": [None, True, False],
        "flags": [None, 1, 2],
        "never": [None, None, None],
        "raw": [None, b"\xff", b""],
    }


@pytest.mark.parametrize("table", ["consent", 'my "own" table', "a.b#c?d%e", "日本; DROP TABLE x"])
def test_sqlite_tables_are_named_after_the_hash_or_like_the_register(tmp_path, table):
    name = '"' + table.replace('"', '""') + '"'
    path = tmp_path / "a b" / "é?#[1].db"
    path.parent.mkdir()
    sqlite(path, f'CREATE TABLE {name} ("the ""id""" TEXT)', f"INSERT INTO {name} VALUES ('x')")
    place = quote("a b/é?#[1].db")
    for uri in (
        f"sqlite:///{place}#{quote(table)}",
        f"sqlite:///{quote(str(path))}#{quote(table)}",
        f"SQLITE:///{place}#{quote(table)}",
    ):
        read = read_register("accounts", uri, tmp_path)
        assert read.table.to_pydict() == {'the "id"': ["x"]}
        assert read.source == uri.replace("SQLITE", "sqlite")
    assert read_register(table, f"sqlite:///{place}", tmp_path).source == uri.replace(
        "SQLITE", "sqlite"
    )


def test_a_sqlite_view_is_read_like_a_table(tmp_path):
    sqlite(
        tmp_path / "r.db",
        "CREATE TABLE t (id TEXT)",
        "INSERT INTO t VALUES ('x'), ('y')",
        "CREATE VIEW consent AS SELECT id AS subject FROM t WHERE id <> 'y'",
    )
    table = read_register("consent", "sqlite:///r.db", tmp_path).table
    assert table.to_pydict() == {"subject": ["x"]}


def test_sqlite_refusals_tell_no_value(tmp_path):
    sqlite(
        tmp_path / "r.db",
        "CREATE TABLE mixed (id)",
        (f"INSERT INTO mixed VALUES ('{SECRET}' || ?)", [("",)]),
        "INSERT INTO mixed VALUES (x'00')",
        "CREATE TABLE broken (id TEXT)",
        f"INSERT INTO broken VALUES ('{SECRET}' || CAST(x'ff' AS TEXT))",
    )
    (tmp_path / "text.db").write_text(SECRET * 100)
    (tmp_path / "folder.db").mkdir()
    refused(tmp_path, "sqlite:///r.db#mixed", "mixes blob and text in the column `id`")
    refused(tmp_path, "sqlite:///r.db#broken", "the column `id`", "UTF-8")
    refused(tmp_path, "sqlite:///r.db", "has no table `consent`")
    refused(tmp_path, "sqlite:///text.db", "cannot be read as a SQLite database")
    refused(tmp_path, "sqlite:///folder.db", "there is no file")
    refused(tmp_path, "sqlite:///gone.db", "there is no file")
    refused(tmp_path, f"sqlite:///r.db?key={SECRET}", "has options")
    refused(tmp_path, "sqlite://r.db", "names no file")
    assert not (tmp_path / "gone.db").exists()


def test_a_broken_sqlite_page_is_refused(tmp_path):
    sqlite(
        tmp_path / "r.db",
        "CREATE TABLE consent (id TEXT)",
        ("INSERT INTO consent VALUES (?)", [(f"{SECRET}{n}",) for n in range(2000)]),
    )
    data = bytearray((tmp_path / "r.db").read_bytes())
    data[8192:12288] = b"\xff" * 4096
    (tmp_path / "r.db").write_bytes(data)
    refused(tmp_path, "sqlite:///r.db", "cannot be read as a SQLite database")


# --- PostgreSQL ----------------------------------------------------------------------------------


@pytest.fixture
def database(postgresql, request):
    """An empty database of its own for each test; `run` runs SQL in it, `uri()` writes its URI."""
    name = f"db_{abs(hash(request.node.nodeid))}"
    postgresql.psql(f"CREATE DATABASE {name}")
    host = quote(str(postgresql.get_postmaster_info().socket_dir), safe="")

    class Database:
        def run(self, sql):
            postgresql.psql(f"\\set ON_ERROR_STOP on\n\\c {name}\n{sql}")

        def uri(self, table="", *, user="postgres", name=name, options=""):
            return f"postgresql://{user}@/{name}?host={host}{options}{table and '#'}{table}"

        def source(self, table, *, name=name):
            return f"postgresql:///{name}?host={host}#{table}"

    yield Database()
    postgresql.psql(f"DROP DATABASE {name} WITH (FORCE)")


def test_postgresql_types_come_through(database, tmp_path):
    database.run(
        """
        CREATE TYPE kind AS ENUM ('org', 'user');
        CREATE DOMAIN label AS text;
        CREATE TABLE consent (subject_kind kind, subject_id text, lab label, fixed char(5),
            choice varchar(10), effective_at timestamptz, plain timestamp, day date,
            surfaces text[], kinds kind[], fixeds char(5)[], flag boolean, n bigint,
            ext uuid, exts uuid[], num numeric, doc jsonb);
        INSERT INTO consent VALUES
            ('org', 'søren 日本', 'l', 'ab', 'opt_in', '2023-01-01 00:00:00.000001+02',
             '2023-01-01', '9999-12-31', '{api,NULL}', '{org}', '{ab}', true, 9007199254740993,
             '00000000-0000-0000-0000-00000000000a', '{00000000-0000-0000-0000-00000000000a}',
             1.50, '{"a": 1}'),
            (NULL, NULL, NULL, NULL, NULL, '9999-12-31 23:59:59.999999+00', NULL, NULL,
             NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
        """
    )
    read = read_register("consent", database.uri(), tmp_path)
    assert read.typed
    assert read.source == database.source("consent")
    first, last = read.table.to_pylist()
    assert first == {
        "subject_kind": "org",
        "subject_id": "søren 日本",
        "lab": "l",
        "fixed": "ab",
        "choice": "opt_in",
        "effective_at": dt.datetime(2022, 12, 31, 22, 0, 0, 1, UTC),
        "plain": dt.datetime(2023, 1, 1),  # noqa: DTZ001 - the column has no zone
        "day": dt.date(9999, 12, 31),
        "surfaces": ["api", None],
        "kinds": ["org"],
        "fixeds": ["ab"],
        "flag": True,
        "n": 2**53 + 1,
        "ext": "00000000-0000-0000-0000-00000000000a",
        "exts": ["00000000-0000-0000-0000-00000000000a"],
        "num": "1.50",
        "doc": '{"a": 1}',
    }
    assert last.pop("effective_at") == dt.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)
    assert set(last.values()) == {None}
    types = dict(zip(read.table.column_names, read.table.schema.types, strict=True))
    assert types["effective_at"] == pa.timestamp("us", "UTC")
    assert types["plain"] == pa.timestamp("us")
    assert types["surfaces"] == pa.list_(pa.string())
    assert types["flag"] == pa.bool_()
    assert types["ext"] == pa.string()


@pytest.mark.parametrize(
    ("fragment", "sql_name"),
    [
        ("", "consent"),
        ("registers.c", "registers.c"),
        ("we%22ird%20t", '"we""ird t"'),
        ("registers.dotted%2Ename", 'registers."dotted.name"'),
        ("%C3%A9%3B%20DROP%20TABLE%20x%3B--", '"é; DROP TABLE x;--"'),
    ],
)
def test_postgresql_tables_are_named_after_the_hash(database, tmp_path, fragment, sql_name):
    database.run(
        f'CREATE SCHEMA registers; CREATE TABLE {sql_name} ("the ""id""" text);'
        f"INSERT INTO {sql_name} VALUES ('é')"
    )
    read = read_register("consent", database.uri(fragment), tmp_path)
    assert read.table.to_pydict() == {'the "id"': ["é"]}
    assert read.source == database.source(fragment or "consent")


def test_an_empty_postgresql_table_keeps_its_types(database, tmp_path):
    database.run("CREATE TABLE consent (id text, surfaces text[], at timestamptz)")
    table = read_register("consent", database.uri(), tmp_path).table
    assert table.num_rows == 0
    assert table.schema.types == [pa.string(), pa.list_(pa.string()), pa.timestamp("us", "UTC")]


def test_a_database_in_another_encoding_gives_utf8(database, postgresql, tmp_path):
    postgresql.psql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        database.run(
            "\\c latin\nSET client_encoding = 'UTF8';"
            "CREATE TABLE consent AS SELECT 'søren'::text AS id"
        )
        table = read_register("consent", database.uri(name="latin"), tmp_path).table
    finally:
        postgresql.psql("DROP DATABASE latin WITH (FORCE)")
    assert table.to_pydict() == {"id": ["søren"]}


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("timestamptz", "infinity"),
        ("timestamptz", "-infinity"),
        ("timestamp", "infinity"),
        ("date", "infinity"),
        ("timestamptz", "10000-01-01 00:00:00+00"),
        ("date", "0044-03-15 BC"),
    ],
)
def test_a_time_that_would_wrap_round_is_refused(database, tmp_path, type_, value):
    database.run(f"""CREATE TABLE deletions (id text, "until" {type_});
        INSERT INTO deletions VALUES ('{SECRET}', '2023-01-01'), ('{SECRET}', '{value}')""")
    uri = database.uri(options="&options=-cTimeZone%3DAmerica/Los_Angeles")
    refused(tmp_path, uri, "infinity", "the column `until`", name="deletions")


def test_rows_hidden_by_row_level_security_stop_the_read(database, postgresql, tmp_path):
    postgresql.psql("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN")
    database.run(
        f"""CREATE TABLE consent AS SELECT * FROM (VALUES ('{SECRET}'), ('b')) AS t (id);
        ALTER TABLE consent ENABLE ROW LEVEL SECURITY;
        CREATE POLICY one_row ON consent USING (id = 'b');"""
    )
    uri = database.uri(user="reader")
    refused(tmp_path, uri, "does not let this user read every row of `consent`")  # no SELECT
    database.run("GRANT SELECT ON consent TO reader")
    refused(tmp_path, uri, "does not let this user read every row of `consent`")
    database.run("ALTER TABLE consent DISABLE ROW LEVEL SECURITY")
    assert read_register("consent", uri, tmp_path).table.num_rows == 2


def test_postgresql_refusals_tell_neither_password_nor_value(database, tmp_path):
    database.run(f"CREATE VIEW failing AS SELECT ('{SECRET}' || oid)::int AS id FROM pg_class")
    uri = database.uri
    refused(tmp_path, uri("nope", user=f"postgres:{SECRET}"), "has no table `nope`")
    refused(tmp_path, uri("no.nope", user=f"postgres:{SECRET}"), "has no table `no.nope`")
    refused(tmp_path, uri("a.b.c.d"), "fails while `a.b.c.d` is read")
    refused(tmp_path, uri("failing"), "fails while `failing` is read")
    refused(tmp_path, uri(user=f"nobody:{SECRET}"), "does not know the user or the database")
    refused(tmp_path, uri(name="gone", options=f"&password={SECRET}"), "does not know the user")


def test_an_unreachable_server_is_named_without_the_password(tmp_path):
    uri = f"postgresql://u:{SECRET}@127.0.0.1:1/db?sslpassword={SECRET}&port=1#t"
    refused(tmp_path, uri, "`postgresql://127.0.0.1:1/db?port=1#t`", "nothing listens there")
    refused(tmp_path, f"postgresql://u:{SECRET}@/db?host=%2Fnowhere", "%2Fnowhere")
    refused(tmp_path, f"postgres://u:{SECRET}@127.0.0.1:1/db?sslmode={SECRET}", "cannot be reached")


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://u:{}#x@host/db",
        "postgresql://u:{}/x@host/db",
        "postgresql://u:{}?x@host/db",
        "postgresql://u:{}@x@host/db",
        "postgresql://u:12/{}@host/db",
        "postgresql://u:{}",
        "postgresql://u:12{}/db",
        "postgresql://host/db?password={}@",
        "postgresql://[{}/db",
        "postgresql://host/db/{}",
    ],
)
def test_a_uri_whose_password_may_stand_elsewhere_is_refused(tmp_path, uri):
    refused(tmp_path, uri.format(SECRET), "percent-encode")


@pytest.mark.parametrize(
    ("uri", "module"),
    [
        ("sqlite:///r.db", "adbc_driver_sqlite"),
        (f"postgresql://u:{SECRET}@host/db", "adbc_driver_postgresql"),
    ],
)
def test_a_missing_driver_names_the_command_that_installs_it(tmp_path, monkeypatch, uri, module):
    sqlite(tmp_path / "r.db", "CREATE TABLE consent (id TEXT)")
    monkeypatch.setitem(sys.modules, f"{module}.dbapi", None)
    error = refused(tmp_path, uri, module)
    assert error.fix == 'pip install "corpusgate[databases]"'
