"""Where a Python function fails: the plan with one output that says why."""

from __future__ import annotations

import msgspec

from workbench.functions.model import PROBE, is_full_name
from workbench.plan import expr as e
from workbench.plan.model import Feature, FeaturePlan


def probing(plan: FeaturePlan, name: str) -> FeaturePlan | None:
    """Return a plan whose one output says why a function fails for a row, or None where no output calls it.

    Parameters
    ----------
    plan
        The plan in which it failed.
    name
        The function's name.
    """
    calls = [
        node
        for output in plan.outputs
        for node in e.walk(output.expr)
        if isinstance(node, e.Call) and is_full_name(node.name) and node.name.partition("@")[0] == name
    ]
    if not calls:
        return None
    probes: list[e.Expr] = [e.Call(PROBE + call.name, call.args, "VARCHAR") for call in dict.fromkeys(calls)]
    first = e.Call("coalesce", tuple(probes), "VARCHAR")
    return msgspec.structs.replace(plan, outputs=(Feature("reason", first, "VARCHAR"),))
