"""Engine readings for the demo: one row a second, 32 bytes each, the same for the same seed.

2026-03-01T00:00:00Z,084.5,1450      time, cooling water in degrees Celsius, revolutions a minute
"""

from __future__ import annotations

import argparse
import math
import random
from datetime import datetime, timedelta
from pathlib import Path

ROWS = 655_360
"""20 MiB: seven and a half days of one engine."""
BEGINNING = datetime(2026, 3, 1)  # noqa: DTZ001 (a label in the data, not a moment)
OVERHEATING_ONE_IN = 400
"""Minutes in which the cooling fails for a while."""


def make_readings(path: Path, *, rows: int = ROWS, seed: int = 7) -> None:
    """Write so many rows."""
    chance = random.Random(seed)
    with open(path, "w", encoding="ascii", newline="\n") as file:
        for first in range(0, rows, 60):
            file.write(_minute(first // 60, min(60, rows - first), chance))


def _minute(number: int, rows: int, chance: random.Random) -> str:
    stamp = (BEGINNING + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M")
    load = math.sin(number / 97) + 0.4 * math.sin(number / 11)
    base = 820 + 35 * load + (190 if chance.randrange(OVERHEATING_ONE_IN) == 0 else 0)
    revolutions = 1450 + int(180 * load)
    noise = chance.randbytes(rows)
    return "".join(
        f"{stamp}:{second:02}Z,{tenths // 10:03}.{tenths % 10},{revolutions:04}\n"
        for second, tenths in enumerate(int(base) + byte % 48 for byte in noise)
    )


def main() -> None:
    """Write the file named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    make_readings(arguments.file, rows=arguments.rows, seed=arguments.seed)


if __name__ == "__main__":
    main()
