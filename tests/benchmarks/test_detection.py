"""The texts that detection is measured on are what they are said to be."""

import re
import sys
from pathlib import Path

import polars as pl
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import quality
import texts


@pytest.mark.parametrize("kind", texts.KINDS)
def test_generated_texts(kind):
    drawn = texts.generate(kind, 200_000)
    assert drawn == texts.generate(kind, 200_000)
    assert drawn != texts.generate(kind, 200_000, seed=4)
    size = sum(map(len, drawn))
    assert 200_000 <= size < 400_000
    assert len(set(drawn)) == len(drawn)


def test_values_are_planted_as_densely_as_said():
    drawn = texts.generate("prose", 1_000_000)
    addresses = sum(len(re.findall(r"write to \S+@", text, re.IGNORECASE)) for text in drawn)
    # Four values of ten are e-mail addresses.
    assert addresses == pytest.approx(0.4 * 1_000_000 / texts.DENSITY["prose"], rel=0.3)


def test_gold_sets_are_found_by_what_is_in_them(tmp_path):
    (tmp_path / "gold").mkdir()
    columns = {"doc_id": ["d"], "text": ["mail ann@example.com"]}

    def put(name, label):
        spans = [[{"start": 5, "end": 20, "label": label}]]
        pl.DataFrame(columns | {"spans": spans}).write_parquet(
            tmp_path / "gold" / f"{name}.parquet"
        )

    put("mails", "EMAIL")
    put("silver_mails", "EMAIL")
    put("names", "PER")
    pl.DataFrame(columns).write_parquet(tmp_path / "code_x.parquet")
    lines = list(quality.table(tmp_path, []))
    scored = [line for line in lines if line.startswith("| mails |")]
    assert [line.split(" | ")[:4] for line in scored] == [
        ["| mails", "EMAIL_ADDRESS", "1", profile] for profile in quality.PROFILES
    ]
    assert not any("names" in line or "silver" in line for line in lines)
    assert "| EMAIL_ADDRESS | 1 | 1 |" in lines
