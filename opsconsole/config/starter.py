"""The first configuration file, and writing it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
from pathlib import Path

from opsconsole.config.http import url_problem
from opsconsole.errors import UsageError
from opsconsole.text import safe

_TEMPLATE = """\
# opsconsole configuration. Check it with `opsconsole config validate`, see it with `opsconsole config show`.
# Relative paths start at this file's folder, ~ is your home. Secrets are never written here: name a file that
# only you can read (chmod 600), or a command that prints the secret.

current_context: main

contexts:
  main:
    # Shown on every screen. `production` asks to type a flag's name before it is rolled back.
    environment: development
    # read_only: true             # leave out everything that changes something
    # author: ann                 # who signs acks and silences; your login name when left out
    # acks: {{duration: 15m, max_age: 4h, stale_after: 1h}}   # how long one lasts, when it asks again, is marked
    # playbooks: [accubooks]      # shipped ones by name (`opsconsole playbook list`), your own as ./folder
    # A silence that hides a critical alert, more alerts than this, or lasts longer than this is confirmed by
    # typing how many alerts it hides.
    # silences: {{confirm_above: 10, max_duration: 24h}}

    prometheus:
      url: {prometheus}
      # The settings of Prometheus' own http_config:
      # basic_auth: {{username: ann, password_file: ~/.secrets/prometheus}}
      # authorization: {{credentials_file: ~/.secrets/token}}    # or credentials_command: [pass, show, token]
      # tls_config: {{ca_file: ca.pem, cert_file: me.pem, key_file: me.key, server_name: prometheus}}
      # http_headers: {{X-Scope-OrgID: {{values: [tenant-1]}}}}        # Mimir, Thanos: the tenant
      # proxy_url: http://proxy.example:3128
      # timeout: 10s

    # One entry per cluster, its members together. Left out altogether, Prometheus is asked where they are.
    alertmanager:
      - name: main
        members: [{members}]

    # flags:
    #   provider: flagd
    #   path: flags.json
    #   safe_variants: {{new_pricing: "off"}}    # what a rollback serves
    # Or one of these:
    #   {{provider: goff, path: flags.goff.yaml}}                              # GO Feature Flag's file
    #   {{provider: unleash, url: "https://unleash", environment: production, token_file: ~/.secrets/unleash}}
    #   {{provider: launchdarkly, project: default, environment: production, token_file: ~/.secrets/launchdarkly}}
    #   {{provider: redis, url: "redis://redis.example:6379/0", key: flags}}   # pip install 'opsconsole[redis]'
    #   {{provider: exec, commands: {{list: [flagctl, list], off: [flagctl, "off"]}}}}      # a command of your own
    #   {{provider: http, url: "https://flags", requests: {{list: {{path: /all}}, off: {{path: "/off/{{key}}"}}}}}}

    # The process that rolls flags back by itself: `opsconsole guard --help`.
    # guard:
    #   kill_switch: /run/opsconsole/stop      # while this file is there, nothing is written
    #   listen: 127.0.0.1:9464                 # /metrics, on this machine only
    #   expect_armed: true                     # that it is not armed is a problem
"""


def starter(prometheus: str, alertmanagers: tuple[str, ...]) -> str:
    """The text of a first configuration. Raises UsageError for a URL that cannot be a server's."""
    for option, url in (("--prometheus", prometheus), *(("--alertmanager", url) for url in alertmanagers)):
        message, hint = url_problem(url)
        if message:
            raise UsageError(f"{option} {message}", hint=hint)
    # JSON's quoting is YAML's too.
    members = ", ".join(json.dumps(url) for url in alertmanagers)
    return _TEMPLATE.format(prometheus=json.dumps(prometheus), members=members)


def write_new(path: Path, text: str, *, force: bool) -> None:
    """Write a file of mode 0600, whole or not at all; without `force` never over another. A symlink stays
    and what it points to is replaced. Raises UsageError when it is there or cannot be written."""
    target = path.resolve() if force else path
    try:
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory") from None
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            _fill(handle, text)
            if force:
                os.replace(name, target)
            else:
                os.link(name, target)  # unlike rename, this fails when the target has appeared meanwhile
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
    except FileExistsError:
        raise UsageError("the file is already there", where=safe(str(path)), hint="--force replaces it") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a usable path"
        raise UsageError(f"cannot be written: {safe(reason)}", where=safe(str(path))) from None


def _fill(handle: int, text: str) -> None:
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
