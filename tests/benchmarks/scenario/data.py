"""The scenario's data: the same at every run of one scale.

Activity per card is lognormal, so a few cards have thousands of rows; merchants are Zipf-like. At full scale 5,000,000
transactions of 100,000 cards over 91 days, 1,000,000 card events, 500,000 versions of 20,000 merchants, a spine of
1,000,000 labelled requests over the last 30 days and 10,000 online requests at the end.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20261124
DAY = 86_400_000_000
START = int(np.datetime64("2026-04-01T00:00:00", "us").astype("int64"))
END = int(np.datetime64("2026-07-01T00:00:00", "us").astype("int64"))
REQUESTS = 10_000

FEATURES = [
    *("txn_cnt_1h", "txn_cnt_1d", "txn_cnt_7d", "txn_cnt_30d"),
    *("amt_sum_1h", "amt_sum_1d", "amt_sum_7d", "amt_sum_30d"),
    *("amt_avg_30d", "amt_max_30d", "amt_min_30d", "amt_std_30d"),
    *("merch_nunique_30d", "country_nunique_7d", "online_ratio_7d", "secs_since_last"),
    *("same_mcc_cnt_30d", "amt_over_avg_30d", "fail_cnt_1d", "merchant_risk"),
]
SQL = Path(__file__).with_name("features.sql").read_text()

TABLES = ("txns", "card_events", "merchant_risk")

_MICROSECONDS = pa.timestamp("us")


@dataclass(frozen=True)
class Scenario:
    """The scenario in a folder; files are made when they are first needed."""

    folder: Path
    scale: float = 1.0

    @staticmethod
    def at(folder: Path, scale: float) -> Scenario:
        """Return the scenario in a folder that may hold it at other scales too."""
        return Scenario(folder / f"scenario-{scale:g}", scale)

    def path(self, name: str) -> Path:
        """Return the Parquet file of a table or of ``spine``."""
        self._generated()
        return self.folder / f"{name}.parquet"

    def count(self, full: int) -> int:
        """Return a number of rows at this scale."""
        return max(100, int(full * self.scale))

    @functools.cached_property
    def requests(self) -> list[dict[str, Any]]:
        """The online requests; ``ts`` is in microseconds."""
        self._generated()
        return [json.loads(line) for line in (self.folder / "requests.jsonl").read_text().splitlines()]

    def _generated(self) -> None:
        done = self.folder / "generated"
        if not done.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            _Generator(self).write()
            done.touch()


class _Generator:
    """Draws the rows; the order of the draws is part of the scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.random = r = np.random.default_rng(SEED)
        cards, merchants = scenario.count(100_000), scenario.count(20_000)
        self.merchants = merchants
        self.cards = _cumulated(r.lognormal(0, 1.1, cards))
        self.spend = r.lognormal(3.2, 0.6, cards)
        self.home = r.integers(0, 40, cards).astype("int16")
        self.popularity = _cumulated(1.0 / np.arange(1, merchants + 1) ** 0.8)
        self.mcc = r.integers(0, 60, merchants).astype("int16")
        self.country = r.integers(0, 40, merchants).astype("int16")

    def write(self) -> None:
        self._transactions()
        self._events()
        self._risks()
        self._spine()
        self._requests()

    def _draw(self, rows: int, since: int, until: int) -> tuple[npt.NDArray[Any], ...]:
        """Cards, times, merchants and amounts of events, in the order of time."""
        r = self.random
        card = np.searchsorted(self.cards, r.random(rows)).astype("int64")
        day = r.integers((since - START) // DAY, (until - START) // DAY, rows)
        hour = np.clip(r.normal(14, 4.5, rows), 0, 23.999999)
        time = START + day * DAY + (hour * 3_600_000_000).astype("int64") + r.integers(0, 60_000_000, rows)
        time = np.minimum(time, until - 1 - r.integers(0, 1_000_000, rows))
        merchant = np.searchsorted(self.popularity, r.random(rows)).astype("int32")
        amount = np.round(self.spend[card] * r.lognormal(0, 0.9, rows), 2)
        order = np.argsort(time, kind="stable")
        return card[order], time[order], merchant[order], amount[order]

    def _transactions(self) -> None:
        rows = self.scenario.count(5_000_000)
        card, time, merchant, amount = self._draw(rows, START, END)
        online = (self.random.random(rows) < 0.35).astype("int8")
        abroad = self.random.random(rows) >= 0.85
        country = np.where(abroad, self.country[merchant], self.home[card]).astype("int16")
        self._save(
            "txns",
            txn_id=np.arange(rows, dtype="int64"),
            card_id=card,
            ts=time,
            amount=amount,
            merchant_id=merchant,
            mcc=self.mcc[merchant],
            country=country,
            is_online=online,
        )

    def _events(self) -> None:
        rows = self.scenario.count(1_000_000)
        card, time, _, _ = self._draw(rows, START, END)
        kinds = np.array(["login_ok", "login_fail", "pin_fail", "addr_change"])
        kind = kinds[self.random.choice(4, rows, p=[0.70, 0.18, 0.10, 0.02])]
        self._save("card_events", event_id=np.arange(rows, dtype="int64"), card_id=card, ts=time, kind=kind)

    def _risks(self) -> None:
        r, merchants = self.random, self.merchants
        versions = merchants * 25
        later = versions - merchants
        merchant = np.concatenate([np.arange(merchants), r.integers(0, merchants, later)]).astype("int32")
        time = np.concatenate([np.full(merchants, START), r.integers(START + 1, END, later)])
        order = np.lexsort((merchant, time))
        risk = np.round(r.beta(1.2, 12, versions), 6)
        self._save("merchant_risk", merchant_id=merchant[order], ts=time[order], risk=risk)

    def _spine(self) -> None:
        rows = self.scenario.count(1_000_000)
        card, time, merchant, amount = self._draw(rows, END - 30 * DAY, END)
        label = (self.random.random(rows) < 0.004).astype("int8")
        self._save(
            "spine",
            req_id=np.arange(rows, dtype="int64"),
            card_id=card,
            ts=time,
            amount=amount,
            merchant_id=merchant,
            mcc=self.mcc[merchant],
            label=label,
        )

    def _requests(self) -> None:
        r = self.random
        card = np.searchsorted(self.cards, r.random(REQUESTS))
        merchant = np.searchsorted(self.popularity, r.random(REQUESTS))
        amount = np.round(self.spend[card] * r.lognormal(0, 0.9, REQUESTS), 2)
        lines = [
            json.dumps(
                {
                    "card_id": int(c),
                    "ts": END,
                    "amount": float(a),
                    "merchant_id": int(m),
                    "mcc": int(self.mcc[m]),
                }
            )
            for c, m, a in zip(card, merchant, amount, strict=True)
        ]
        (self.scenario.folder / "requests.jsonl").write_text("\n".join(lines) + "\n")

    def _save(self, name: str, **columns: npt.NDArray[Any]) -> None:
        arrays = {
            column: pa.array(values).cast(_MICROSECONDS) if column == "ts" else pa.array(values)
            for column, values in columns.items()
        }
        pq.write_table(pa.table(arrays), self.scenario.folder / f"{name}.parquet", row_group_size=250_000)


def _cumulated(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    total = np.cumsum(weights / weights.sum())
    total[-1] = 1.0
    return total
