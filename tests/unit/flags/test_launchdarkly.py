"""LaunchDarkly: what is sent, what an error means, what can be brought back and what cannot."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.clients.flags.launchdarkly import COMMENT, LaunchDarklyProvider
from opsconsole.clients.flags.launchdarkly_shape import definition, in_place, instructions
from opsconsole.clients.transport import Transport
from opsconsole.clock import ManualClock
from opsconsole.config.load import load_config
from opsconsole.config.schema import Authorization, Endpoint, HttpConfig
from opsconsole.errors import (
    ApprovalRequired,
    ConfigError,
    Conflict,
    FlagError,
    FlagNotFound,
    FlagRateLimited,
    FlagUnauthorised,
    FlagUnavailable,
    FlagUnsupported,
    OpsError,
    Refused,
)
from opsconsole.model.flags import Flag, RollbackKind
from tests.support import launchdarkly as ld
from tests.support.launchdarkly import LaunchDarkly
from tests.support.scripted import Received, Say, ScriptedServer, json_reply, text_reply

CLAUSE = {"_id": "c1", "attribute": "plan", "op": "in", "values": ["pro"]}
RULE = {"_id": "r1", "clauses": [CLAUSE], "variation": 0, "trackEvents": True, "description": "pros"}
ROLLOUT = {"variations": [{"variation": 0, "weight": 25_000}, {"variation": 1, "weight": 75_000}]}


class Console:
    """The API with one flag `f`, and a provider of it."""

    def __init__(self, server: ScriptedServer, token: Path) -> None:
        self.api = LaunchDarkly()
        self.server, self.clock = server, ManualClock()
        self._token = token
        server.on("*", self.api.answer)
        self.made: list[LaunchDarklyProvider] = []

    def flag(self, *values: object, about: dict[str, Any] | None = None, **config: object) -> None:
        self.api.flags["f"] = ld.flag("f", *values, **config) | (about or {})

    def provider(
        self, safe: dict[str, str] | None = None, environment: str = "production"
    ) -> LaunchDarklyProvider:
        http = HttpConfig(authorization=Authorization(type="", credentials_file=self._token))
        transport = Transport(Endpoint(url=self.server.url, http=http), clock=self.clock)
        made = LaunchDarklyProvider(transport, "default", environment, clock=self.clock, safe_variants=safe)
        self.made.append(made)
        return made

    async def told(self, safe: dict[str, str] | None = None) -> Flag:
        found = (await self.provider(safe).read()).get("f")
        assert found is not None
        return found


@pytest.fixture
async def console(scripted: ScriptedServer, tmp_path: Path) -> AsyncIterator[Console]:
    token = tmp_path / "token"
    token.write_text(ld.TOKEN)
    token.chmod(0o600)
    made = Console(scripted, token)
    yield made
    for provider in made.made:
        await provider.aclose()


async def test_a_rollback_is_one_semantic_patch_with_its_reason(console: Console) -> None:
    console.flag(fallthrough={"rollout": ROLLOUT})
    provider = console.provider()
    plan = await provider.plan_off("f")
    assert (
        plan.words == "f: serve false to everyone in production; targeting turned off (now true 25 %, false 75 %)"
    )
    assert '-  "on": true,' in plan.diff
    assert '+  "on": false,' in plan.diff
    await provider.apply(plan, "errors at 20 %")
    sent = next(request for request in console.server.requests if request.method == "PATCH")
    assert sent.headers["authorization"] == ld.TOKEN
    assert sent.headers["content-type"] == ld.SEMANTIC_PATCH
    assert sent.headers["ld-api-version"] == "20240415"
    assert json.loads(sent.body) == {
        "environmentKey": "production",
        "comment": "errors at 20 %",
        "instructions": [{"kind": "turnFlagOff"}],
    }
    await provider.apply(await provider.plan_to("f", plan.original, RollbackKind.UNDO, restore=True))
    assert console.api.patches[-1]["instructions"] == [{"kind": "turnFlagOn"}]
    assert console.api.patches[-1]["comment"] == COMMENT


@pytest.mark.parametrize(
    ("error", "kind", "sent"),
    [
        (ld.APPROVAL, ApprovalRequired, False),
        (ld.failure(403, "forbidden", "This change requires approval"), ApprovalRequired, False),
        (ld.FORBIDDEN, FlagUnauthorised, False),
        (ld.UNAUTHORISED, FlagUnauthorised, False),
        (ld.CONFLICT, Conflict, None),
        (ld.failure(400, "invalid_request", "unknown instruction"), FlagError, False),
        (ld.failure(404, "not_found", "Invalid resource identifier"), FlagNotFound, False),
        (ld.failure(422, "invalid_patch", "cannot be understood"), FlagError, False),
        (text_reply("oh no", status=500), FlagUnavailable, True),
        (text_reply("oh no", status=503), FlagUnavailable, True),
    ],
)
async def test_each_error_of_a_write(
    console: Console, error: Say, kind: type[OpsError], sent: bool | None
) -> None:
    console.flag()
    provider = console.provider()
    plan = await provider.plan_off("f")
    console.api.errors = [error]
    with pytest.raises(OpsError) as caught:
        await provider.apply(plan, "why")
    assert type(caught.value) is kind
    assert getattr(caught.value, "sent", None) is sent
    assert caught.value.hint
    assert console.api.errors == []
    assert console.api.patches == []
    assert [r.method for r in console.server.requests].count("PATCH") == 1, "a write is not sent again"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ((("X-Ratelimit-Route-Remaining", "0"), ("X-Ratelimit-Reset", "1767225607500")), 7.5),
        ((("X-Ratelimit-Global-Remaining", "0"), ("X-Ratelimit-Reset", "1767225599000")), 0.0),
        ((("Retry-After", "12"),), 12.0),
        ((("Retry-After", "12"), ("X-Ratelimit-Reset", "1767225607500")), 12.0),
        ((("X-Ratelimit-Reset", "soon"),), None),
        ((), None),
    ],
)
async def test_the_wait_that_a_rate_limit_asks_for(
    console: Console, headers: tuple[tuple[str, str], ...], wait: float | None
) -> None:
    console.flag()
    provider = console.provider()
    plan = await provider.plan_off("f")
    console.api.errors = [ld.failure(429, "rate_limited", "You've exceeded the API rate limit", *headers)]
    with pytest.raises(FlagRateLimited) as caught:
        await provider.apply(plan)
    assert (caught.value.retry_after, caught.value.sent) == (wait, False)
    assert (f"asks to wait {wait:g} s" in caught.value.hint) if wait is not None else caught.value.hint


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (json_reply({"items": None}), FlagUnavailable, "lists no `items`"),
        (json_reply({"items": [{"key": "f"}], "totalCount": 1}), FlagUnavailable, "not as the API promises"),
        (json_reply([]), FlagUnavailable, "not as the API promises"),
        (text_reply("<html>Log in</html>"), FlagUnavailable, "a web page"),
        (ld.failure(404, "not_found", "Unknown project"), FlagNotFound, "Unknown project"),
    ],
)
async def test_what_is_no_answer_of_the_api(
    console: Console, answer: Say, kind: type[OpsError], says: str
) -> None:
    console.server.on("*", answer)
    with pytest.raises(kind, match=says) as caught:
        await console.provider().read()
    assert caught.value.hint


async def test_an_environment_and_a_flag_that_are_not_there(console: Console) -> None:
    console.flag()
    with pytest.raises(FlagNotFound, match="no environment stage") as caught:
        await console.provider(environment="stage").plan_off("f")
    assert "production" in caught.value.hint
    with pytest.raises(FlagNotFound, match="no flag g"):
        await console.provider().plan_off("g")
    console.flag(about={"archived": True})
    with pytest.raises(Refused, match="archived"):
        await console.provider().plan_off("f")


@pytest.mark.parametrize(
    ("values", "config", "configured", "variant", "patch"),
    [
        ((), {}, None, "false", ["turnFlagOff"]),
        # Off is what its off variation serves, whatever its value.
        ((), {"offVariation": 0}, None, "true", ["turnFlagOff"]),
        # Without one, off would serve the default in the code, which may be on.
        ((), {"offVariation": None}, None, "false", ["turnFlagOff", "updateOffVariation"]),
        ((), {"offVariation": None, "on": False}, None, "false", ["updateOffVariation"]),
        (("new", "old"), {"offVariation": 0}, "old", "old", ["turnFlagOff", "updateOffVariation"]),
        ((1, 2), {"offVariation": 0}, "2", "2", ["turnFlagOff", "updateOffVariation"]),
        (("new", "old"), {}, "gone", "", None),
        (("new", "old"), {"offVariation": None}, None, "", None),
        (("new", "control"), {"offVariation": None}, None, "control", ["turnFlagOff", "updateOffVariation"]),
    ],
)
async def test_which_variation_is_the_safe_one(
    console: Console,
    values: tuple[object, ...],
    config: dict[str, object],
    configured: str | None,
    variant: str,
    patch: list[str] | None,
) -> None:
    console.flag(*values, **config)
    safe = {"f": configured} if configured else None
    assert (await console.told(safe)).safe_variant == variant
    provider = console.provider(safe)
    if patch is None:
        with pytest.raises(Refused, match="no safe variant"):
            await provider.plan_off("f")
        return
    before = copy.deepcopy(console.api.flags["f"])
    plan = await provider.plan_off("f")
    await provider.apply(plan)
    assert [one["kind"] for one in console.api.patches[0]["instructions"]] == patch
    flag = await console.told(safe)
    assert (flag.off, flag.serves, flag.rollout) == (True, variant, 0.0)
    if config.get("offVariation", 1) is None:
        with pytest.raises(FlagUnsupported, match="no off variation"):
            await provider.plan_to("f", plan.original, RollbackKind.UNDO, restore=True)
        return
    await provider.apply(await provider.plan_to("f", plan.original, RollbackKind.UNDO, restore=True))
    assert definition(console.api.flags["f"], "production") == definition(before, "production")


@pytest.mark.parametrize(
    ("config", "serves", "rollout"),
    [
        ({}, "true", 100.0),
        ({"fallthrough": {"variation": 1}}, "false", 0.0),
        ({"fallthrough": {"rollout": ROLLOUT}}, "true 25 %, false 75 %", 25.0),
        ({"rules": [RULE]}, "true, with targeting", None),
        ({"targets": [{"values": ["ann"], "variation": 0}]}, "true, with targeting", None),
        ({"targets": [{"values": [], "variation": 0}]}, "true", 100.0),
        ({"prerequisites": [{"key": "g", "variation": 0}]}, "true, with prerequisites", None),
        ({"on": False}, "false", 0.0),
        ({"on": False, "offVariation": None}, "the code's default (off)", None),
        ({"fallthrough": {}}, "the code's default", None),
    ],
)
async def test_what_is_told_of_a_flag(
    console: Console, config: dict[str, object], serves: str, rollout: float | None
) -> None:
    console.flag(**config)
    flag = await console.told()
    assert (flag.serves, flag.rollout) == (serves, rollout)


@pytest.mark.parametrize(
    ("about", "kind"),
    [
        ({"tags": ["Kill switch", "x"]}, "kill-switch"),
        ({"tags": ["permission"], "temporary": True}, "permission"),
        ({"_purpose": "migration"}, "migration"),
        ({"temporary": True}, "temporary"),
        ({"temporary": False}, "permanent"),
    ],
)
async def test_types(console: Console, about: dict[str, Any], kind: str) -> None:
    console.flag(about=about)
    assert (await console.told()).type == kind


async def test_all_pages_are_read(console: Console) -> None:
    console.api.flags = {f"f{n:03}": ld.flag(f"f{n:03}") for n in range(230)}
    console.api.flags["f007"]["archived"] = True
    flags = (await console.provider().read()).flags
    assert [flag.key for flag in flags] == [key for key in console.api.flags if key != "f007"]
    assert len(console.server.requests) == 3


@pytest.mark.parametrize("fault", ["the same page again", "one was deleted", "one was added", "twice on a page"])
async def test_pages_that_do_not_fit_together_are_no_list_of_flags(console: Console, fault: str) -> None:
    reps = [ld.flag(f"f{n:03}") for n in range(150)]
    if fault == "twice on a page":
        reps[20] = reps[10]

    def answer(received: Received) -> Say:
        offset = int(dict(received.query)["offset"])
        if offset and fault == "the same page again":
            offset = 0
        live = reps[:-1] if offset and fault == "one was deleted" else reps
        live = [ld.flag("a"), *reps] if offset and fault == "one was added" else live
        page = live[offset : offset + 100]
        links = {"next": {"href": "…"}} if offset + 100 < len(live) else {}
        return json_reply({"_links": links, "items": page, "totalCount": len(live)})

    console.server.on("*", answer)
    with pytest.raises(FlagUnavailable, match="changed while it was read"):
        await console.provider().read()
    assert len(console.server.requests) <= 2


# Undo


@pytest.mark.parametrize(
    ("former", "says"),
    [
        ({"prerequisites": [{"key": "g", "variation": 0}]}, "other prerequisites"),
        ({"rules": [{**RULE, "disabled": True}]}, "was disabled"),
        ({"fallthrough": {"rollout": {**ROLLOUT, "experimentAllocation": {}, "seed": 1}}}, "an experiment"),
        ({"fallthrough": {}}, "served nothing"),
        ({"offVariation": None}, "no off variation"),
    ],
)
async def test_what_cannot_be_written_back_says_so_before_anything_is_written(
    console: Console, former: dict[str, object], says: str
) -> None:
    console.flag(**former)
    provider = console.provider()
    kept = await provider.definition("f")
    console.api.edit("f", {"offVariation": 1, "rules": [], "prerequisites": [], "fallthrough": {"variation": 1}})
    with pytest.raises(FlagUnsupported, match=says) as caught:
        await provider.plan_to("f", kept, RollbackKind.UNDO)
    assert caught.value.hint
    assert console.api.patches == []


async def test_variations_are_left_alone(console: Console) -> None:
    console.flag("a", "b")
    provider = console.provider()
    kept = await provider.definition("f")
    console.api.edit("f", {"on": False})
    console.api.flags["f"]["variations"][0]["value"] = "A"
    plan = await provider.plan_to("f", kept, RollbackKind.UNDO)
    assert "its variations were changed since and stay as they are" in plan.words
    await provider.apply(plan)
    assert (await console.told()).content_hash == provider.content_hash(plan.replacement)
    console.api.edit("f", {"on": False, "fallthrough": {"variation": 0}})
    console.api.flags["f"]["variations"] = console.api.flags["f"]["variations"][1:]
    console.api.edit("f", {"offVariation": 0})
    with pytest.raises(FlagUnsupported, match="variations that it served then are gone"):
        await provider.plan_to("f", kept, RollbackKind.UNDO)


async def test_a_definition_of_another_provider_is_refused(console: Console) -> None:
    console.flag()
    for text in ('{"state": "ENABLED"}', "flags: {", "[]"):
        with pytest.raises(FlagError, match="not one of LaunchDarkly"):
            await console.provider().plan_to("f", text, RollbackKind.UNDO)


KEYS = st.lists(st.sampled_from("abcdef"), unique=True, max_size=3)
SERVING = st.one_of(
    st.integers(0, 2).map(lambda index: {"variation": index}),
    st.integers(0, 100_000).map(
        lambda weight: {
            "rollout": {
                "variations": [{"variation": 0, "weight": weight}, {"variation": 2, "weight": 100_000 - weight}],
                "bucketBy": "country",
                "contextKind": "company",
            }
        }
    ),
)
CLAUSES = st.lists(
    st.builds(
        lambda attribute, values, negate, kind: (
            {
                "_id": "c",
                "attribute": attribute,
                "op": "in",
                "values": values,
                "negate": negate,
            }
            | ({"contextKind": kind} if kind else {})
        ),
        st.sampled_from(["plan", "country"]),
        KEYS,
        st.booleans(),
        st.sampled_from(["", "user", "device"]),
    ),
    min_size=1,
    max_size=2,
)
CONFIGS = st.fixed_dictionaries(
    {
        "on": st.booleans(),
        "offVariation": st.integers(0, 2),
        "fallthrough": SERVING,
        "targets": st.lists(
            st.builds(lambda n, v: {"variation": n, "values": v}, st.integers(0, 2), KEYS), max_size=2
        ),
        "contextTargets": st.lists(
            st.builds(
                lambda n, v: {"variation": n, "values": v, "contextKind": "device"}, st.integers(0, 2), KEYS
            ),
            max_size=1,
        ),
        "rules": st.lists(
            st.builds(
                lambda clauses, serving, track: {"_id": "r", "clauses": clauses, "trackEvents": track} | serving,
                CLAUSES,
                SERVING,
                st.booleans(),
            ),
            max_size=2,
        ),
    }
)


@settings(max_examples=150, deadline=None)
@given(now=CONFIGS, former=CONFIGS)
def test_instructions_lead_from_any_targeting_to_any_other(now: dict[str, Any], former: dict[str, Any]) -> None:
    rep = ld.flag("f", "a", "b", "c", **copy.deepcopy(now))
    wanted = definition(ld.flag("f", "a", "b", "c", **former), "production")
    have = definition(rep, "production")
    ids = [variation["_id"] for variation in rep["variations"]]
    for instruction in instructions(have, in_place(wanted, have)):
        ld._carry_out(rep["environments"]["production"], dict(instruction), ids)
    assert definition(rep, "production") == wanted


# The log


async def test_a_long_log_is_read_in_pages_and_each_entry_once(console: Console) -> None:
    console.flag()
    for number in range(45):
        console.api.edit("f", {"on": number % 2 == 1})
    provider = console.provider()
    found = await provider.changes(0.0)
    assert [change.id for change in found] == [entry["_id"] for entry in console.api.entries]
    assert len(console.api.asked_details) == len(set(console.api.asked_details)) == 40
    assert [bool(change.after) for change in found] == [True] * 40 + [False] * 5, "the newest first"
    again = await provider.changes(0.0)
    assert all(change.after for change in again)
    await provider.changes(0.0)
    assert len(console.api.asked_details) == 45, "what an entry says never changes"


async def test_who_and_what_as_the_log_says_it(console: Console) -> None:
    console.flag()
    console.api.edit("f", {"on": False}, "turned off the flag", comment="too many errors")
    console.api.edit("f", {"on": True}, "", member=None, token={"name": "ci"}, shortDescription="on again")
    console.api.edit("f", {"version": 9}, "updated the description of the flag")
    console.api.edit("f", {"on": False}, "", member={"email": "bob@example.com"}, target=None)
    console.api.edit("f", {"on": True}, "", member=None, app={"name": "Slack"})
    found = await console.provider().changes(0.0, "f")
    assert [(one.who, one.summary, one.off) for one in reversed(found)] == [
        ("Ann Lee", "turned off the flag (too many errors)", True),
        ("token ci", "on again", False),
        ("bob@example.com", "- changed the targeting", True),
        ("application Slack", "- changed the targeting", False),
    ]
    assert [one.version for one in found] == ["6", "5", "3", "2"]


async def test_without_details_there_is_still_who_and_when(console: Console) -> None:
    console.flag()
    console.api.edit("f", {"on": False})
    entry = console.api.entries[0]["_id"]
    for answer in (ld.failure(404, "not_found", "gone"), ld.failure(429, "rate_limited", "slow down")):
        console.server.on(f"/api/v2/auditlog/{entry}", answer)
        (change,) = await console.provider().changes(0.0)
        assert (change.who, change.key, change.before, change.after, change.off) == ("Ann Lee", "f", "", "", None)


async def test_changes_of_other_environments_are_not_told(console: Console) -> None:
    console.flag()
    console.api.edit("f", {"on": False})
    entry = console.api.entries[0]
    other = "proj/default:env/test:flag/f"
    entry["accesses"] = [{"action": "updateOn", "resource": other}]
    entry["target"] = {"resources": [other]}
    console.server.on("/api/v2/auditlog", json_reply({"items": [entry]}))
    assert await console.provider().changes(0.0) == ()


# Configuration


def test_its_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    (tmp_path / "t").write_text("x")

    def load(more: str) -> Any:
        config.write_text(f"contexts: {{a: {{flags: {{provider: launchdarkly, {more}}}}}}}")
        return load_config(config, {}, home=tmp_path).contexts["a"].flags

    flags = load("environment: production, token_file: t, timeout: 5s, safe_variants: {f: old}")
    assert flags.endpoint.url == "https://app.launchdarkly.com"
    assert flags.endpoint.http.authorization == Authorization(type="", credentials_file=tmp_path / "t")
    assert (flags.project, flags.environment, flags.endpoint.http.timeout) == ("default", "production", 5.0)
    assert flags.safe_variants == {"f": "old"}
    flags = load("environment: e, project: p, url: 'https://app.eu.launchdarkly.com/', token_command: [cat, t]")
    assert (flags.endpoint.url, flags.project) == ("https://app.eu.launchdarkly.com", "p")
    for more, says in (
        ("token_file: t", "environment: is missing"),
        ("environment: e", "needs token_file or token_command"),
        ("environment: e, token: secret", "secrets are not written here"),
        ("environment: e, token_file: t, basic_auth: {username: u}", "cannot both be given"),
        ("environment: e, token_file: t, path: f", "is not a known key"),
        ("environment: e, token_file: t, url: app.launchdarkly.com", "not an http or https URL"),
    ):
        with pytest.raises(ConfigError, match=says):
            load(more)
