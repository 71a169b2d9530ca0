"""The provenance of each source's records: who submitted them, when, and through what.

The odd cases are the point of the demo: contradictions, missing ids, impossible times and unknown
surfaces come in the shares that a real corpus might have, and the rows are sorted so that whole
row groups have no survivor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
from draw import Draw, as_time
from instants import AS_OF, CUTOFF, DAY, instant

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS: Final[dict[str, pl.DataType]] = {
    "id": pl.String(),
    "source": pl.String(),
    "created_at": pl.Datetime("us", "UTC"),
    "org": pl.String(),
    "user": pl.String(),
    "end_user": pl.String(),
    "endpoint": pl.String(),
    "model": pl.String(),
    "part": pl.String(),
    "file": pl.String(),
    "conversation": pl.String(),
    "parents": pl.List(pl.String()),
    "license_ends_at": pl.Datetime("us", "UTC"),
    "region": pl.String(),
    "lang": pl.String(),
}
ENDPOINTS: Final = {
    "/v1/chat/completions": 52.0,
    "/v1/completions": 26.0,
    "/v1/embeddings": 8.0,
    "/v1/responses": 4.0,
    "https://api.example.com/V1/Chat/Completions/": 2.0,
    "/v1/completions?stream=true": 2.0,
    "/v1/audio/transcriptions": 2.0,
    "/v1/audio/translations": 0.6,
    None: 0.6,
}
MODELS: Final = {"gpt-3.5-turbo": 48.0, "text-davinci-003": 28.0, "gpt-4": 12.0, "davinci": 2.0}
PARTS: Final = {"input": 55.0, "output": 41.0, "metadata": 3.0, "headers": 0.4, None: 0.4}
API_SURFACES: Final = {"api": 82.0, "playground": 16.0, "API": 0.5, "assistants": 1.0, None: 0.3}
REGIONS: Final = {"us": 55.0, "eu": 30.0, "jp": 10.0, None: 5.0}


def web(draw: Draw) -> pl.DataFrame:
    """Draw pages crawled from the public web; some carry an account, which no public page can."""
    surfaces = {"public_web": 98.0, "web_forum": 1.3, "Public_Web": 0.4, None: 0.3}
    frame = pl.DataFrame(
        {
            "source": draw.pick(surfaces),
            "created_at": draw.times(instant("2021-06-01"), AS_OF - 5 * DAY),
            "lang": draw.langs(),
        }
    ).with_columns(
        org=pl.when(draw.chance(0.016)).then(draw.orgs()),
        endpoint=pl.when(draw.chance(0.006)).then(pl.lit("/v1/embeddings")),
        parents=_parents(draw, 0.008),
    )
    return _faulty_times(draw, frame, missing=0.01).sort("lang", maintain_order=True)


def licensed(draw: Draw) -> pl.DataFrame:
    """Draw bought texts, sorted by the end of their licence: the ended ones come first."""
    ends = draw.pick(
        {"2022-12-31": 6, "2023-06-30": 9, "2023-08-01": 1, "2025-12-31": 55, "2099-12-31": 25}
    )
    frame = pl.DataFrame(
        {
            "source": ["licensed"] * draw.rows,
            "created_at": draw.times(instant("2021-06-01"), AS_OF - 20 * DAY),
            "license_ends_at": ends.str.to_datetime("%Y-%m-%d", time_unit="us", time_zone="UTC"),
            "lang": draw.langs(),
        }
    ).with_columns(
        license_ends_at=pl.when(~draw.chance(0.04)).then("license_ends_at"),
        model=pl.when(draw.chance(0.006)).then(pl.lit("gpt-4")),
    )
    return frame.sort("license_ends_at", maintain_order=True, nulls_last=True)


def review(draw: Draw) -> pl.DataFrame:
    """Draw demonstrations written by reviewers, some of them derived from other records."""
    empty = pl.lit([], dtype=COLUMNS["parents"])
    return pl.DataFrame(
        {
            "source": ["human_review"] * draw.rows,
            "created_at": draw.times(instant("2022-03-01"), AS_OF - DAY),
            "lang": draw.langs(),
        }
    ).with_columns(parents=_parents(draw, 0.04).fill_null(empty))


def chat(draw: Draw) -> pl.DataFrame:
    """Draw conversations of the consumer service; a few users work in a team's workspace."""
    number = draw.chance(0.65).cum_sum().cast(pl.Int64)  # a thread has one record or a few
    threads = draw.rows + 1
    in_team = pl.Series(draw.rng.random(threads) < 0.075)
    teams = pl.select(pl.when(in_team).then(draw.enterprises(threads))).to_series()
    frame = pl.DataFrame(
        {
            "source": draw.pick({"consumer": 98.6, "plugin": 1.0, None: 0.4}),
            "created_at": draw.times(instant("2022-12-01"), AS_OF, growth=0.8),
            "org": teams.gather(number),
            "user": draw.users(threads).gather(number),
            "model": draw.pick({"gpt-3.5-turbo": 80, "gpt-4": 19, None: 1}),
            "conversation": pl.select(
                pl.format("conv-{}-{}", pl.lit(draw.shard), number)
            ).to_series(),
            "lang": draw.langs(),
        }
    ).with_columns(user=pl.when(~draw.chance(0.015)).then("user"), parents=_parents(draw, 0.005))
    return _faulty_times(draw, frame).sort("org", maintain_order=True, nulls_last=True)


def api(draw: Draw) -> pl.DataFrame:
    """Draw API traffic, by time in the even shards and by model in the odd ones.

    Some rows lie exactly on the policy's cutoff, some one microsecond before it.
    """
    orgs = draw.orgs()
    times = draw.times(instant("2022-07-01"), AS_OF, growth=0.6)
    cutoff = as_time(pl.Series([CUTOFF - 1, CUTOFF]))
    frame = pl.DataFrame(
        {
            "source": draw.pick(API_SURFACES),
            "created_at": times,
            "org": orgs,
            "user": draw.members(orgs),
            "end_user": pl.select(pl.format("end-{}", draw.integers(20_000))).to_series(),
            "endpoint": draw.pick(ENDPOINTS),
            "model": draw.pick(MODELS),
            "part": draw.pick(PARTS),
            "lang": draw.langs(),
        }
    ).with_columns(model=_fine_tuned(draw, 0.11))
    if times[0] <= cutoff[1] <= times[-1]:
        frame = frame.with_columns(
            created_at=pl.when(draw.chance(0.03))
            .then(cutoff.gather(draw.integers(2)))
            .otherwise("created_at")
        )
    frame = frame.with_columns(
        org=pl.when(~draw.chance(0.012)).then("org"),
        user=pl.when(draw.chance(0.7)).then("user"),
        end_user=pl.when(draw.chance(0.3)).then("end_user"),
        model=pl.when(~draw.chance(0.006)).then("model"),
        parents=_parents(draw, 0.01),
    )
    order = ["created_at"] if draw.shard % 2 == 0 else ["model", "created_at"]
    return _faulty_times(draw, frame, missing=0.006).sort(order, maintain_order=True)


def files(draw: Draw) -> pl.DataFrame:
    """Draw lines of uploaded files: first those for retrieval, then those for fine-tuning."""
    count = draw.rows // 15 + 1
    number = draw.integers(count)
    surface = draw.pick({"file_upload": 60.0, "fine_tuning": 40.0}, count)
    orgs = draw.orgs(count)
    name = pl.select(pl.format("file-{}-{}", pl.lit(draw.shard), number)).to_series()
    frame = pl.DataFrame(
        {
            "source": surface.gather(number),
            "created_at": draw.times(instant("2022-07-01"), AS_OF).shuffle(seed=1).gather(number),
            "org": orgs.gather(number),
            "user": draw.members(orgs).gather(number),
            "endpoint": ["/v1/files"] * draw.rows,
            "part": ["file"] * draw.rows,
            "file": name,
            "lang": draw.langs(),
        }
    ).with_columns(file=pl.when(~draw.chance(0.02)).then("file"))
    return frame.sort(["source", "file"], maintain_order=True)


def enterprise(draw: Draw) -> pl.DataFrame:
    """Draw records of enterprise workspaces: a shard without a survivor."""
    orgs = draw.enterprises()
    return pl.DataFrame(
        {
            "source": ["enterprise"] * draw.rows,
            "created_at": draw.times(instant("2023-01-01"), AS_OF),
            "org": orgs,
            "user": draw.members(orgs),
            "model": draw.pick(MODELS),
            "part": draw.pick({"input": 55.0, "output": 45.0}),
            "conversation": pl.select(
                pl.format("work-{}-{}", pl.lit(draw.shard), draw.integers(draw.rows))
            ).to_series(),
            "lang": draw.langs(),
        }
    )


def monitoring(draw: Draw) -> pl.DataFrame:
    """Draw copies kept for abuse monitoring, most of them past their thirty days."""
    orgs = draw.orgs()
    return pl.DataFrame(
        {
            "source": ["abuse_monitoring"] * draw.rows,
            "created_at": draw.times(AS_OF - 75 * DAY, AS_OF),
            "org": orgs,
            "user": draw.members(orgs),
            "endpoint": ["/v1/chat/completions"] * draw.rows,
            "model": draw.pick(MODELS),
            "part": draw.pick({"input": 50.0, "output": 50.0}),
            "lang": draw.langs(),
        }
    )


@dataclass(frozen=True)
class Source:
    """One folder of the corpus: its share of the shards, its rows, and how often they name people.

    `kind` is the kind of text, and None makes the records chats.
    """

    folder: str
    weight: int
    rows: Callable[[Draw], pl.DataFrame]
    kind: str | None
    contacts: float


SOURCES: Final = (
    Source("web", 5, web, "web", 0.08),
    Source("licensed", 1, licensed, "web", 0.02),
    Source("review", 1, review, "answer", 0.0),
    Source("chat", 5, chat, None, 0.0),
    Source("api", 8, api, "question", 0.07),
    Source("files", 2, files, "web", 0.05),
    Source("enterprise", 1, enterprise, "answer", 0.05),
    Source("monitoring", 1, monitoring, "question", 0.08),
)


def provenance(source: Source, draw: Draw) -> pl.DataFrame:
    """Give one shard's columns, all of COLUMNS in order; what a source does not say is null."""
    frame = source.rows(draw)
    number = pl.int_range(draw.rows).cast(pl.String).str.zfill(6)
    prefix = f"{source.folder}-{draw.shard:02}-"
    frame = frame.with_columns(
        id=pl.lit(prefix) + number,
        region=draw.pick(REGIONS),
    )
    if source.folder == "web":  # a crawler that fetched a page twice
        again = draw.chance(0.002)
        frame = frame.with_columns(id=pl.when(again).then(pl.col("id").shift(1)).otherwise("id"))
        frame = frame.with_columns(pl.col("id").fill_null(prefix + "000000"))
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in COLUMNS.items()
    )


def _parents(draw: Draw, share: float) -> pl.Expr:
    """Name one other record as the parent of `share` of the rows; null elsewhere."""
    parent = pl.format("web-00-{}", draw.integers(1_000).cast(pl.String).str.zfill(6))
    return pl.when(draw.chance(share)).then(pl.concat_list(parent))


def _fine_tuned(draw: Draw, share: float) -> pl.Expr:
    """Put the organisation's own model, under its new or its old name, in `share` of the rows."""
    own = (
        pl.when(draw.chance(0.85))
        .then(pl.format("ft:gpt-3.5-turbo:{}", "org"))
        .when(draw.chance(0.1))
        .then(pl.format(" FT:GPT-3.5-Turbo:{}", "org"))
        .otherwise(pl.format("curie:ft-{}-2022-11-03", "org"))
    )
    return pl.when(draw.chance(share)).then(own).otherwise("model")


def _faulty_times(draw: Draw, frame: pl.DataFrame, missing: float = 0.0) -> pl.DataFrame:
    """Break a few times: none at all, epoch zero, milliseconds read as micro, a clock ahead."""
    wrong = as_time(pl.Series([0, AS_OF // 1000, AS_OF + 3 * DAY]))
    return frame.with_columns(
        created_at=pl.when(draw.chance(missing))
        .then(None)
        .when(draw.chance(0.006))
        .then(wrong.gather(draw.integers(3)))
        .otherwise("created_at")
    )
