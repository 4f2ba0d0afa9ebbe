"""What a text of OpenMLDB says and a plan no longer shows: clauses without effect, joins that are read otherwise."""

from __future__ import annotations

from sqlglot import exp

from workbench.plan.lint import Finding
from workbench.sql.openmldb.parser import parse_openmldb


def lint_text(text: str) -> list[Finding]:
    """Return the findings of a query's text.

    Examples
    --------
    >>> [finding.code for finding in lint_text("SELECT a FROM t LIMIT 10")]
    ['limit-without-effect']
    """
    query = parse_openmldb(text)
    findings = []
    if query.args.get("limit"):
        findings.append(
            Finding(
                "limit-without-effect",
                "info",
                "LIMIT has no effect: a request has one row, and offline every anchor row has one",
                "view.preview(n) shows some rows",
            )
        )
    if any(join.meta.get("left") for join in query.find_all(exp.Join)):
        findings.append(
            Finding(
                "left-join-newest",
                "warning",
                "LEFT JOIN on the right side of a LAST JOIN is read as LAST JOIN: only the newest match is there",
                "write LAST JOIN ... ORDER BY ... ON ...",
            )
        )
    return findings
