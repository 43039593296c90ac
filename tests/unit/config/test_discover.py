"""Which context is meant: the command line, then the file, then the environment, then amtool's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsconsole.config.discover import Options, resolve, resolve_context
from opsconsole.config.paths import state_dir
from opsconsole.config.schema import Context
from opsconsole.errors import ConfigError, UsageError

ONE = "contexts: {lab: {prometheus: {url: http://file-p}, alertmanager: [{members: [http://file-am]}]}}\n"
SEVERAL = """\
contexts:
  lab: {prometheus: {url: http://lab}}
  prod:
    environment: production
    prometheus: {url: http://prod, authorization: {credentials_file: token}}
    flags: {provider: flagd, path: f.json, safe_variants: {x: off}}
"""


class Place:
    """A home and an /etc of the test's own, and nothing in the environment."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.etc = root / "etc"
        self.env: dict[str, str] = {}
        self.home.mkdir()

    def write(self, name: str, text: str) -> Path:
        base, _, rest = name.partition("/")
        path = (self.home if base == "~" else self.etc) / rest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def resolve(self, **options: object) -> Context:
        return resolve_context(Options(**options), self.env, self.home, etc=self.etc)  # type: ignore[arg-type]  # keywords of the test

    def origins(self, **options: object) -> dict[str, str]:
        return dict(resolve(Options(**options), self.env, self.home, etc=self.etc).origins)  # type: ignore[arg-type]  # keywords of the test


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    elsewhere = tmp_path / "cwd"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return Place(tmp_path)


def urls(context: Context) -> tuple[str, list[str]]:
    prometheus = context.prometheus.url if context.prometheus else ""
    return prometheus, [m.url for c in context.alertmanager for m in c.members]


def test_nothing_configured_names_every_place(place: Place) -> None:
    with pytest.raises(ConfigError) as caught:
        place.resolve()
    home, etc = place.home, place.etc
    assert str(caught.value) == (
        "configuration: there is nothing to connect to; looked for:\n"
        "--prometheus URL or PROMETHEUS_URL: not given\n"
        "--alertmanager URL or ALERTMANAGER_URL: not given\n"
        "--config FILE or OPSCONSOLE_CONFIG: not given\n"
        f"{home}/.config/opsconsole/config.yaml: not there\n"
        f"{etc}/opsconsole/config.yaml: not there\n"
        f"{home}/.config/amtool/config.yml: not there\n"
        f"{home}/.config/prometheus/amtool.yml: not there\n"
        f"{etc}/amtool/config.yml: not there\n"
        f"{etc}/prometheus/amtool.yml: not there"
    )
    assert caught.value.hint == (
        "`opsconsole config init` writes a first configuration; "
        "`opsconsole demo` shows the console without any server"
    )


def test_the_users_file_comes_before_the_machines(place: Place) -> None:
    place.write("etc/opsconsole/config.yaml", ONE.replace("lab", "machine"))
    assert place.resolve().name == "machine"
    place.write("~/.config/opsconsole/config.yaml", ONE.replace("lab", "user"))
    assert place.resolve().name == "user"
    place.env["XDG_CONFIG_HOME"] = str(place.home / "xdg")
    place.write("~/xdg/opsconsole/config.yaml", ONE.replace("lab", "xdg"))
    assert place.resolve().name == "xdg"


def test_the_variable_replaces_both_and_the_option_replaces_the_variable(place: Place) -> None:
    place.write("~/.config/opsconsole/config.yaml", ONE.replace("lab", "user"))
    place.write("~/named.yaml", ONE.replace("lab", "variable"))
    place.env["OPSCONSOLE_CONFIG"] = "~/named.yaml"
    assert place.resolve().name == "variable"
    given = place.write("~/given.yaml", ONE.replace("lab", "option"))
    assert place.resolve(config=given).name == "option"
    place.env["OPSCONSOLE_CONFIG"] = "/none.yaml"
    with pytest.raises(ConfigError, match=r"^/none\.yaml: there is no such file$"):
        place.resolve()


def test_the_working_directory_is_never_looked_at(place: Place) -> None:
    for name in ("config.yaml", "opsconsole.yaml", ".opsconsole.yaml"):
        Path(name).write_text(ONE)
    with pytest.raises(ConfigError, match="nothing to connect to"):
        place.resolve()


def test_the_context_is_named_or_current_or_the_only_one(place: Place) -> None:
    file = place.write("~/.config/opsconsole/config.yaml", SEVERAL)
    assert place.resolve(context="lab").name == "lab"
    with pytest.raises(UsageError, match="names several contexts and no current_context") as caught:
        place.resolve()
    assert (caught.value.where, caught.value.hint) == (str(file), "say which with --context: lab, prod")
    with pytest.raises(UsageError, match="there is no context `prd`") as caught:
        place.resolve(context="prd")
    assert caught.value.hint == "did you mean prod?"
    place.write("~/.config/opsconsole/config.yaml", "current_context: prod\n" + SEVERAL)
    assert place.resolve().environment == "production"


def test_a_context_without_a_file(place: Place) -> None:
    with pytest.raises(UsageError, match="no configuration file, so no context `prod`") as caught:
        place.resolve(context="prod", prometheus="http://p")
    assert str(place.home / ".config/opsconsole/config.yaml") in caught.value.hint


def test_servers_on_the_command_line_do_without_a_named_context(place: Place) -> None:
    place.write("~/.config/opsconsole/config.yaml", SEVERAL)
    context = place.resolve(prometheus="http://p/")
    assert (context.name, urls(context)) == ("command line", ("http://p", []))


def test_the_command_line_overrides_the_context(place: Place) -> None:
    file = place.write("~/.config/opsconsole/config.yaml", "current_context: prod\n" + SEVERAL)
    context = place.resolve(
        prometheus="http://other",
        alertmanager=("http://a", "http://b"),
        playbook=("accubooks",),
        read_only=True,
        flags_file=Path("f.yaml"),
    )
    assert urls(context) == ("http://other", ["http://a", "http://b"])
    assert [c.name for c in context.alertmanager] == ["main"]
    assert (context.name, context.environment, context.read_only) == ("prod", "production", True)
    assert (context.playbooks, context.find_alertmanagers) == (("accubooks",), False)
    assert context.flags is not None
    assert (context.flags.path, context.flags.safe_variants) == (Path.cwd() / "f.yaml", {"x": "off"})
    origins = place.origins(prometheus="http://other")
    assert origins["prometheus"] == "--prometheus"
    assert origins["environment"] == f"{file}:4"


def test_credentials_go_to_no_url_but_their_own(place: Place) -> None:
    place.write("~/.config/opsconsole/config.yaml", "current_context: prod\n" + SEVERAL)
    same, other = place.resolve(prometheus="http://prod/"), place.resolve(prometheus="http://evil")
    assert same.prometheus is not None
    assert same.prometheus.http.authorization is not None
    assert other.prometheus is not None
    assert other.prometheus.http.authorization is None


def test_the_environment_counts_only_without_a_file(place: Place) -> None:
    place.env |= {"PROMETHEUS_URL": "http://env-p", "ALERTMANAGER_URL": "http://env-a,http://env-b"}
    assert urls(place.resolve()) == ("http://env-p", ["http://env-a", "http://env-b"])
    assert place.resolve().find_alertmanagers is False
    assert urls(place.resolve(prometheus="http://p")) == ("http://p", ["http://env-a", "http://env-b"])
    assert place.origins()["alertmanager"] == "ALERTMANAGER_URL"
    place.write("~/.config/opsconsole/config.yaml", ONE)
    assert urls(place.resolve()) == ("http://file-p", ["http://file-am"])


def test_only_prometheus_is_asked_for_the_alertmanagers(place: Place) -> None:
    place.write("~/.config/amtool/config.yml", "alertmanager.url: http://amtool\n")
    for context in (
        place.resolve(prometheus="http://p"),
        Place.resolve(_with(place, PROMETHEUS_URL="http://p")),
    ):
        assert (urls(context), context.find_alertmanagers) == (("http://p", []), True)
    place.env.clear()
    assert place.resolve(alertmanager=("http://a",)).find_alertmanagers is False
    assert place.resolve(prometheus="http://p", alertmanager=("http://a",)).find_alertmanagers is False


def _with(place: Place, **env: str) -> Place:
    place.env |= env
    return place


def test_amtools_files_are_the_last_place(place: Place) -> None:
    place.write("etc/prometheus/amtool.yml", "alertmanager.url: http://machine\nauthor: root\n")
    context = place.resolve()
    assert (context.name, urls(context), context.author) == ("amtool", ("", ["http://machine"]), "root")
    debian = place.write(
        "~/.config/prometheus/amtool.yml",
        "alertmanager.url: http://debian/\nauthor: ann\noutput: json\ncomment_required: true\n"
        "http.config.file: http.yml\n",
    )
    place.write("~/.config/prometheus/http.yml", "basic_auth: {username: ann, password_file: pw}\n")
    context = place.resolve()
    assert (urls(context), context.author) == (("", ["http://debian"]), "ann")
    basic = context.alertmanager[0].members[0].http.basic_auth
    assert basic is not None
    assert basic.password_file == debian.parent / "pw"
    assert place.origins() == {"alertmanager": str(debian), "author": str(debian)}
    place.write("~/.config/amtool/config.yml", "alertmanager.url: http://upstream\n")
    assert urls(place.resolve())[1] == ["http://upstream"]
    assert urls(place.resolve(alertmanager=("http://a",)))[1] == ["http://a"]


def test_what_is_wrong_in_amtools_files(place: Place) -> None:
    file = place.write("~/.config/amtool/config.yml", "alertmanager.url: http://u:hunter2@a\n")
    with pytest.raises(ConfigError) as caught:
        place.resolve()
    assert str(caught.value) == (
        f"{file}:1: alertmanager.url: has a user name or password in the URL (use basic_auth with password_file)"
    )
    file.write_text("alertmanager.url: http://a\nhttp.config.file: none.yml\n")
    with pytest.raises(ConfigError, match=r"none\.yml: there is no such file"):
        place.resolve()
    file.write_text("# empty\n")
    with pytest.raises(ConfigError, match=r"amtool/config\.yml: names no Alertmanager"):
        place.resolve()


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        (
            {"prometheus": "p:9090"},
            "--prometheus is not an http or https URL",
            "write it as http://host:port",
        ),
        (
            {"alertmanager": ("http://u:hunter2@a",)},
            "--alertmanager has a user name or password in the URL",
            "use basic_auth with password_file",
        ),
        (
            {"alertmanager": ("http://a", "http://a/")},
            "--alertmanager names a URL twice",
            "give each member of the cluster once",
        ),
    ],
)
def test_urls_on_the_command_line_are_checked(
    place: Place, options: dict[str, object], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        place.resolve(**options)
    assert (str(caught.value), caught.value.hint) == (message, hint)


def test_a_flags_file_alone_is_enough(place: Place) -> None:
    context = place.resolve(flags_file=Path("/f.json"))
    assert context.flags is not None
    assert (context.flags.provider, context.flags.path) == ("flagd", Path("/f.json"))


def test_a_playbook_option_is_a_shipped_name_or_a_folder(place: Place) -> None:
    Path("mine").mkdir()
    context = place.resolve(prometheus="http://p", playbook=("accubooks", "mine", "./x", "nowhere"))
    cwd = Path.cwd()
    assert context.playbooks == ("accubooks", str(cwd / "mine"), str(cwd / "x"), "nowhere")


def test_where_the_state_is(tmp_path: Path) -> None:
    assert state_dir({"OPSCONSOLE_STATE_DIR": str(tmp_path)}) == tmp_path
    assert state_dir({"OPSCONSOLE_STATE_DIR": "~/x", "HOME": "/home/ann"}) == Path("/home/ann/x")
    assert state_dir({}).name == "opsconsole"
