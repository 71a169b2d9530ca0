"""The examples of docs/python.md print what the page shows."""

from docs.pages import blocks, page


def test_the_example_prints_what_it_shows(python):
    example, shown = blocks(page("python.md"))
    assert (example.kind, shown.kind) == ("python", "text")
    assert python(example.text, {}) == shown.text
