"""The demo's model: how likely is a flight to be late, with and without what happened before it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

TEST_FROM = pd.Timestamp("2013-10-01")
CATEGORIES = ["carrier", "origin"]
#: What the flight's own row and its plane say; the baseline sees nothing else.
OWN = [*CATEGORIES, "local_hour", "weekday", "distance", "block_minutes", "plane_age", "seats"]


@dataclass(frozen=True)
class LateModel:
    """A classifier, the columns it reads and its AUC on flights later than those it was trained on."""

    classifier: HistGradientBoostingClassifier
    columns: list[str]
    categories: dict[str, list[str]]
    auc: float

    def risk(self, features: Mapping[str, Any]) -> float:
        """Return the probability that a flight with these features arrives late."""
        return float(self._probabilities(pd.DataFrame([features]))[0])

    def _probabilities(self, rows: pd.DataFrame) -> Any:
        with threadpool_limits(1, user_api="openmp"):
            return self.classifier.predict_proba(_matrix(rows, self.columns, self.categories))[:, 1]


def train(rows: pd.DataFrame, columns: list[str]) -> LateModel:
    """Train on the flights before October 2013 and measure on those from October on.

    Parameters
    ----------
    rows
        A training set: the features, the event time ``scheduled`` and the label ``late``.
    columns
        The features that the model may read.
    """
    rows = rows[rows["late"].notna()]
    categories = {name: sorted(rows[name].dropna().unique()) for name in CATEGORIES}
    past = rows["scheduled"] < TEST_FROM
    classifier = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    # One thread: several wait for each other busily, which takes minutes where the cores are shared with others.
    with threadpool_limits(1, user_api="openmp"):
        classifier.fit(_matrix(rows[past], columns, categories), rows.loc[past, "late"].astype(bool))
        scores = classifier.predict_proba(_matrix(rows[~past], columns, categories))[:, 1]
    auc = roc_auc_score(rows.loc[~past, "late"].astype(bool), scores)
    return LateModel(classifier, columns, categories, float(auc))


def _matrix(rows: pd.DataFrame, columns: list[str], categories: dict[str, list[str]]) -> pd.DataFrame:
    encoded = {
        name: pd.Categorical(rows[name].where(rows[name].isin(known)), categories=known)
        for name, known in categories.items()
    }
    numbers = [name for name in columns if name not in encoded]
    return rows[numbers].astype("float64").assign(**encoded)[columns]
