"""LaunchDarkly's REST API as its documentation describes it, with state: flags of one project, semantic patches,
the audit log, and the errors in their documented shapes.

Taken from LaunchDarkly's API documentation, version 20240415 (https://launchdarkly.com/docs/api), and from what is
made of its OpenAPI description (https://github.com/launchdarkly/api-client-python/tree/main/docs: FeatureFlagsApi,
FeatureFlag, FeatureFlagConfig, AuditLogApi, AuditLogEntryRep). The answer where approvals are needed is from
https://github.com/launchdarkly/ldcli/issues/581.
"""

from __future__ import annotations

import copy
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from tests.support.scripted import Received, Say, hang, json_reply

TOKEN = "api-1234-secret"
ENVIRONMENT = "production"
SEMANTIC_PATCH = "application/json; domain-model=launchdarkly.semanticpatch"

Rep = dict[str, Any]


def failure(status: int, code: str, message: str, *headers: tuple[str, str]) -> Say:
    """An error in the common format."""
    body = {"code": code, "message": message, "id": "30ce6058-87da-11e4-b116-123b93f75cba"}
    answer = json_reply(body, status=status)
    return Say(status, b"", (*answer.headers, *headers), answer.body)


APPROVAL = failure(
    405, "method_not_allowed", "Flag configuration updates require approval: action 'updateOn' not allowed"
)
CONFLICT = failure(409, "optimistic_locking_error", "Conflict: the resource was changed by another request")
FORBIDDEN = failure(403, "forbidden", "Access to the requested resource was denied")
UNAUTHORISED = failure(401, "unauthorized", "Invalid access token")


def flag(key: str, *values: object, **config: object) -> Rep:
    """A flag. Its variations are True and False without a name, or these values, named after themselves."""
    variations = [
        {"_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{key}-{value}")), "value": value}
        | ({} if isinstance(value, bool) else {"name": str(value)})
        for value in values or (True, False)
    ]
    environment = {
        "on": True,
        "archived": False,
        "salt": "61eddeadbeef",
        "sel": "",
        "lastModified": 1_700_000_000_000,
        "version": 1,
        "targets": [],
        "contextTargets": [],
        "rules": [],
        "fallthrough": {"variation": 0},
        "offVariation": 1,
        "prerequisites": [],
        "_site": {"href": f"/default/{ENVIRONMENT}/features/{key}", "type": "text/html"},
        "_environmentName": "Production",
        "trackEvents": False,
        "trackEventsFallthrough": False,
    }
    return {
        "name": key,
        "kind": "boolean" if not values else "multivariate",
        "description": "",
        "key": key,
        "_version": 1,
        "creationDate": 1_700_000_000_000,
        "includeInSnippet": False,
        "variations": variations,
        "temporary": True,
        "tags": [],
        "_links": {"self": {"href": f"/api/v2/flags/default/{key}", "type": "application/json"}},
        "archived": False,
        "customProperties": {},
        "environments": {ENVIRONMENT: environment | config},
    }


class LaunchDarkly:
    """The project `default`. `answer` is for a ScriptedServer's `*`; the next writes get the `errors` instead of
    being carried out."""

    def __init__(self) -> None:
        self.flags: dict[str, Rep] = {}
        self.entries: list[Rep] = []
        self.errors: list[Say] = []
        self.patches: list[Rep] = []
        self.asked_details: list[str] = []

    def answer(self, received: Received) -> Say:
        if received.headers.get("authorization") != TOKEN:
            return UNAUTHORISED
        if received.method == "PATCH":
            return self._patch(received)
        parts = received.path.strip("/").split("/")
        query = dict(received.query)
        if parts[:4] == ["api", "v2", "flags", "default"]:
            return self._list(query) if len(parts) == 4 else self._one(parts[4], query)
        if parts[:3] == ["api", "v2", "auditlog"]:
            return self._log(query) if len(parts) == 3 else self._entry(parts[3])
        return failure(404, "not_found", "Invalid resource identifier")

    def lost(self, received: Received) -> Say:
        """The same, but that no answer to a write arrives."""
        said = self.answer(received)
        return hang() if received.method == "PATCH" else said

    def edit(self, key: str, change: Mapping[str, Any], verb: str = "updated the flag", **about: object) -> None:
        """Change a flag's configuration and write the log, as somebody in the web console."""
        before = copy.deepcopy(self.flags[key])
        config = self.flags[key]["environments"][ENVIRONMENT]
        config |= {**change, "version": config["version"] + 1, "lastModified": int(time.time() * 1000)}
        person = {"_id": "569f183514f4432160000007", "email": "ann@example.com"}
        names = {"firstName": "Ann", "lastName": "Lee"}
        self._write_down(key, before, verb, {"member": person | names, **about})

    def _list(self, query: dict[str, str]) -> Say:
        assert (query["env"], query["summary"]) == (ENVIRONMENT, "0"), "without both there are no rules"
        offset, limit = int(query["offset"]), min(int(query["limit"]), 100)
        live = [rep for rep in self.flags.values() if not rep["archived"]]
        links = {"next": {"href": "…"}} if offset + limit < len(live) else {}
        page = live[offset : offset + limit]
        return json_reply({"_links": links, "items": page, "totalCount": len(live)})

    def _one(self, key: str, query: dict[str, str]) -> Say:
        assert query["env"]
        if key not in self.flags:
            return failure(404, "not_found", "Unknown feature key")
        rep = self.flags[key]
        wanted = {name: found for name, found in rep["environments"].items() if name == query["env"]}
        return json_reply(rep | {"environments": wanted})

    def _patch(self, received: Received) -> Say:
        if received.headers["content-type"] != SEMANTIC_PATCH:
            return failure(400, "invalid_request", "patch must be a JSON array")
        if self.errors:
            return self.errors.pop(0)
        key, patch = received.path.rsplit("/", 1)[1], json.loads(received.body)
        self.patches.append(patch)
        before = copy.deepcopy(self.flags[key])
        config = self.flags[key]["environments"][patch["environmentKey"]]
        ids = [variation["_id"] for variation in before["variations"]]
        for instruction in patch["instructions"]:
            _carry_out(config, dict(instruction), ids)
        config["version"] += 1
        token = {"_id": "5b1b2c3d", "name": "opsconsole", "ending": "cret", "serviceToken": True}
        verb = {"turnFlagOff": "turned off the flag", "turnFlagOn": "turned on the flag"}
        said = verb.get(patch["instructions"][0]["kind"], "updated the flag")
        self._write_down(key, before, said, {"token": token, "comment": patch.get("comment", "")})
        return json_reply(self.flags[key])

    def _write_down(self, key: str, before: Rep, verb: str, about: Mapping[str, object]) -> None:
        last = self.entries[0]["date"] if self.entries else 0
        resource = f"proj/default:env/{ENVIRONMENT}:flag/{key}"
        self.entries.insert(
            0,
            {
                "_id": uuid.uuid4().hex[:24],
                "_accountId": "569f183514f4432160000001",
                "_links": {},
                "date": max(int(time.time() * 1000), last + 1),
                "accesses": [{"action": "updateOn", "resource": resource}],
                "kind": "flag",
                "name": self.flags[key]["name"],
                "description": "- changed the targeting",
                "shortDescription": "",
                "titleVerb": verb,
                "target": {"_links": {}, "name": self.flags[key]["name"], "resources": [f"{resource};tag"]},
                "previousVersion": before,
                "currentVersion": copy.deepcopy(self.flags[key]),
                **about,
            },
        )

    def _log(self, query: dict[str, str]) -> Say:
        limit = int(query.get("limit", "10"))
        if not 1 <= limit <= 20:
            return failure(400, "invalid_request", "limit must be between 1 and 20")
        after, before = int(query.get("after", "0")), int(query.get("before", "9" * 15))
        spec = query["spec"].removesuffix("*")
        found = [
            {name: value for name, value in entry.items() if name not in ("previousVersion", "currentVersion")}
            for entry in self.entries
            if after < entry["date"] < before
            and entry["accesses"][0]["resource"].startswith(spec)
            and (query["spec"].endswith("*") or entry["accesses"][0]["resource"] == spec)
        ]
        return json_reply({"_links": {}, "items": found[:limit]})

    def _entry(self, name: str) -> Say:
        self.asked_details.append(name)
        found = next((entry for entry in self.entries if entry["_id"] == name), None)
        return failure(404, "not_found", "Invalid resource identifier") if found is None else json_reply(found)


def _carry_out(config: Rep, instruction: Rep, ids: list[str]) -> None:
    kind = instruction.pop("kind")
    if kind in ("turnFlagOn", "turnFlagOff"):
        config["on"] = kind == "turnFlagOn"
    elif kind == "updateOffVariation":
        config["offVariation"] = ids.index(instruction["variationId"])
    elif kind == "updateFallthroughVariationOrRollout":
        config["fallthrough"] = _served(instruction, ids)
    elif kind == "replaceTargets":
        targets = [
            {"contextKind": t["contextKind"], "variation": ids.index(t["variationId"]), "values": t["values"]}
            for t in instruction["targets"]
        ]
        config["targets"] = [t for t in targets if t["contextKind"] == "user"]
        config["contextTargets"] = [t for t in targets if t["contextKind"] != "user"]
        config["contextTargets"] += [t | {"values": []} for t in config["targets"]]
    elif kind == "replaceRules":
        config["rules"] = [
            {
                "_id": str(uuid.uuid4()),
                "clauses": [clause | {"_id": str(uuid.uuid4())} for clause in rule["clauses"]],
                "trackEvents": rule["trackEvents"],
                "description": rule.get("description", ""),
                **_served(rule, ids),
            }
            for rule in instruction["rules"]
        ]
    else:
        raise AssertionError(f"{kind} is not an instruction that is known here")


def _served(instruction: Rep, ids: list[str]) -> Rep:
    if "variationId" in instruction:
        return {"variation": ids.index(instruction["variationId"])}
    weights = instruction["rolloutWeights"]
    assert sum(weights.values()) == 100_000, "in thousandths of a percent"
    return {
        "rollout": {
            "variations": [{"variation": ids.index(one), "weight": weight} for one, weight in weights.items()],
            "bucketBy": instruction["rolloutBucketBy"],
            "contextKind": instruction["rolloutContextKind"],
        }
    }


def served(rep: Rep, user: int, *, code: object = True) -> object:
    """What an SDK serves to one of 100 users; every tenth is `pro`, `code` is the application's default."""
    config = rep["environments"][ENVIRONMENT]
    values = [variation["value"] for variation in rep["variations"]]
    if rep["archived"]:
        return code
    serving: Rep = {"variation": config["offVariation"]}
    if config["on"]:
        serving = config["fallthrough"]
        if config["rules"] and user % 10 == 0:
            serving = config["rules"][0]
        for target in config["targets"]:
            if str(user) in target["values"]:
                serving = target
    if "rollout" in serving:
        at = 0.0
        for part in serving["rollout"]["variations"]:
            at += part["weight"] / 1000
            if user < at:
                return values[part["variation"]]
    index = serving.get("variation")
    return code if index is None else values[index]
