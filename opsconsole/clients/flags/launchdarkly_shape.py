"""LaunchDarkly's flags as definitions that can be compared and brought back, and the instructions that do it.

Variations are named by their ids, which stay when others are added or removed; the API itself gives indices. The
ids of rules and clauses are left out: rules that are brought back get new ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from opsconsole.clients.flags.base import canonical, shares_in_words
from opsconsole.errors import FlagError, FlagUnsupported
from opsconsole.text import SafeText, safe, trusted

Definition = dict[str, Any]


class NotAFlag(ValueError):
    """What should be the representation of a flag is none; the message says what is missing."""


def definition(rep: Mapping[str, Any], environment: str) -> Definition:
    """What decides in one environment who gets what. Raises NotAFlag."""
    try:
        config = rep["environments"][environment]
        ids = [variation["_id"] for variation in rep["variations"]]
        targets = [*(config.get("targets") or ()), *(config.get("contextTargets") or ())]
        off = config.get("offVariation")
        return {
            "on": bool(config["on"]),
            "offVariation": None if off is None else ids[off],
            "fallthrough": _serving(config.get("fallthrough") or {}, ids),
            "targets": sorted((_target(target, ids) for target in targets if target.get("values")), key=canonical),
            "rules": [_rule(rule, ids) for rule in config.get("rules") or ()],
            "prerequisites": [
                {"key": found["key"], "variation": found["variation"]}
                for found in config.get("prerequisites") or ()
            ],
            "variations": {variation["_id"]: {"value": variation.get("value")} for variation in rep["variations"]},
        }
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise NotAFlag(f"{type(error).__name__}: {error}") from None


def _serving(rep: Mapping[str, Any], ids: Sequence[str]) -> Definition:
    """One variation, or a rollout: what a rule or the default rule serves."""
    rollout = rep.get("rollout")
    if not rollout:
        variation = rep.get("variation")
        return {"variation": None if variation is None else ids[variation]}
    weights: dict[str, int] = {}
    for part in rollout["variations"]:
        name = ids[part["variation"]]
        weights[name] = weights.get(name, 0) + part["weight"]
    found: Definition = {
        "weights": weights,
        "bucketBy": rollout.get("bucketBy") or "key",
        "contextKind": rollout.get("contextKind") or "user",
    }
    experiment = {
        name: rollout[name] for name in ("experimentAllocation", "seed") if rollout.get(name) is not None
    }
    return found | ({"experiment": experiment} if experiment else {})


def _target(rep: Mapping[str, Any], ids: Sequence[str]) -> Definition:
    return {
        "contextKind": rep.get("contextKind") or "user",
        "variation": ids[rep["variation"]],
        "values": sorted(rep["values"]),
    }


def _rule(rep: Mapping[str, Any], ids: Sequence[str]) -> Definition:
    return {
        "description": rep.get("description") or "",
        "disabled": bool(rep.get("disabled")),
        "trackEvents": bool(rep.get("trackEvents")),
        "clauses": [
            {
                "contextKind": clause.get("contextKind") or "user",
                "attribute": clause["attribute"],
                "op": clause["op"],
                "negate": bool(clause.get("negate")),
                "values": list(clause["values"]),
            }
            for clause in rep["clauses"]
        ],
        "serves": _serving(rep, ids),
    }


def in_place(former: Definition, now: Definition) -> Definition:
    """The former definition with the variations that there are now: those belong to all environments, and are left
    alone. Raises FlagUnsupported for one that needs a variation that is gone."""
    gone = sorted(_used(former) - set(now["variations"]))
    if gone:
        raise FlagUnsupported(
            f"{len(gone)} of the variations that it served then are gone",
            hint="variations belong to all environments: bring them back in LaunchDarkly",
        )
    return {**former, "variations": now["variations"]}


def _used(found: Definition) -> set[str]:
    names = {found["offVariation"]} | {target["variation"] for target in found["targets"]}
    for serving in (found["fallthrough"], *(rule["serves"] for rule in found["rules"])):
        names |= set(serving.get("weights", ())) | {serving.get("variation")}
    return {name for name in names if name is not None}


def instructions(now: Definition, wanted: Definition) -> list[Definition]:
    """The semantic patch from one definition to another. Raises FlagUnsupported where there is no instruction for
    it."""
    found: list[Definition] = []
    if now["on"] and not wanted["on"]:
        found.append({"kind": "turnFlagOff"})
    if now["offVariation"] != wanted["offVariation"]:
        if wanted["offVariation"] is None:
            raise _cannot("it had no off variation")
        found.append({"kind": "updateOffVariation", "variationId": wanted["offVariation"]})
    if now["fallthrough"] != wanted["fallthrough"]:
        found.append({"kind": "updateFallthroughVariationOrRollout", **_serve(wanted["fallthrough"])})
    if now["targets"] != wanted["targets"]:
        targets = [
            {"contextKind": one["contextKind"], "variationId": one["variation"], "values": one["values"]}
            for one in wanted["targets"]
        ]
        found.append({"kind": "replaceTargets", "targets": targets})
    if now["rules"] != wanted["rules"]:
        found.append({"kind": "replaceRules", "rules": [_new_rule(rule) for rule in wanted["rules"]]})
    if now["prerequisites"] != wanted["prerequisites"]:
        raise _cannot("it had other prerequisites")
    if wanted["on"] and not now["on"]:
        found.append({"kind": "turnFlagOn"})
    return found


def _new_rule(rule: Definition) -> Definition:
    if rule["disabled"]:
        raise _cannot("one of its rules was disabled")
    described = {"description": rule["description"]} if rule["description"] else {}
    return {
        **described,
        "clauses": rule["clauses"],
        "trackEvents": rule["trackEvents"],
        **_serve(rule["serves"]),
    }


def _serve(serving: Definition) -> Definition:
    if "experiment" in serving:
        raise _cannot("it was part of an experiment")
    if "weights" in serving:
        return {
            "rolloutWeights": serving["weights"],
            "rolloutBucketBy": serving["bucketBy"],
            "rolloutContextKind": serving["contextKind"],
        }
    if serving["variation"] is None:
        raise _cannot("one of its rules served nothing")
    return {"variationId": serving["variation"]}


def _cannot(why: str) -> FlagUnsupported:
    return FlagUnsupported(
        f"what stood before cannot be written back by its API: {why}",
        hint="turn the flag off instead, or change it in LaunchDarkly",
    )


def labels(rep: Mapping[str, Any]) -> dict[str, str]:
    """What each variation is called, by its id: its name, or its value; raw."""
    found = {}
    for variation in rep["variations"]:
        value = json.dumps(variation.get("value"), ensure_ascii=False)
        found[variation["_id"]] = variation.get("name") or value
    return found


def named(found: Definition, names: Mapping[str, str]) -> str:
    """A definition for people: indented, with the names of the variations in place of their ids."""
    return json.dumps(_renamed({**found, "variations": None}, names), indent=2, ensure_ascii=False)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            names.get(name, name): _renamed(item, names) for name, item in value.items() if name != "variations"
        }
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def shares(serving: Definition) -> dict[str, float] | None:
    """What per cent get each variation, by id; None when it serves nothing."""
    if "weights" in serving:
        total = sum(serving["weights"].values())
        parts = {name: 100.0 * weight / total for name, weight in serving["weights"].items() if weight and total}
        return parts or None
    return None if serving["variation"] is None else {serving["variation"]: 100.0}


def kind_of(rep: Mapping[str, Any]) -> SafeText:
    """The type of a flag: `kill-switch` or `permission` when a tag says so, else its purpose, else whether it is
    temporary."""
    for tag in rep.get("tags") or ():
        word = str(tag).lower().replace(" ", "-").replace("_", "-")
        if word in ("kill-switch", "killswitch", "permission"):
            return safe(word.replace("killswitch", "kill-switch"))
    purpose = rep.get("_purpose")
    if isinstance(purpose, str) and purpose:
        return safe(purpose, 80)
    return safe("temporary" if rep.get("temporary") else "permanent")


def serves(now: Definition, names: Mapping[str, str]) -> SafeText:
    """What users get, in words; `names` are those of the variations by id."""
    if not now["on"]:
        off = now["offVariation"]
        return safe(names[off], 80) if off is not None else trusted("the code's default (off)")
    parts = shares(now["fallthrough"])
    words = [
        trusted("the code's default")
        if parts is None
        else shares_in_words({names[one]: part for one, part in parts.items()})
    ]
    if now["targets"] or now["rules"]:
        words.append(trusted("with targeting"))
    if now["prerequisites"]:
        words.append(trusted("with prerequisites"))
    return trusted(", ".join(words))


def text(found: Definition) -> str:
    """A definition as it is kept."""
    return json.dumps(found, indent=2, ensure_ascii=False)


def parsed(kept: str) -> Definition:
    """The definition that was kept as this text. Raises FlagError for one of another provider."""
    try:
        found = json.loads(kept)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not {"on", "offVariation", "fallthrough", "variations"} <= found.keys():
        raise FlagError("the kept definition is not one of LaunchDarkly", hint="it was kept by another provider")
    return found
