"""The pact files: made by the tests of the consumers, in a folder of their own, and held against
those that are committed."""

import os
from pathlib import Path

from pact import Pact

COMMITTED = Path(__file__).with_name("pacts")
MADE = Path(os.environ.get("PACTS_MADE", COMMITTED))


def begin(consumer, provider):
    """What a consumer expects of a provider, yet to be said."""
    return Pact(consumer, provider).with_specification("V4")


def add(pact):
    """Adds what was said to the consumer's file."""
    pact.write_file(MADE)


def changed():
    """Puts the files that were made in the place of those that are committed; those that differ."""
    names = sorted({file.name for folder in (MADE, COMMITTED) for file in folder.glob("*.json")})
    different = []
    for name in names:
        made, committed = MADE / name, COMMITTED / name
        text = made.read_text() if made.exists() else None
        if text == (committed.read_text() if committed.exists() else None):
            continue
        different.append(name)
        committed.unlink() if text is None else committed.write_text(text)
    return different


if __name__ == "__main__":
    if different := changed():
        raise SystemExit(f"rewritten, now commit: {', '.join(different)}")
