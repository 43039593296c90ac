"""Every provider that a configuration can name can be made, and none is loaded but the one that is used."""

from __future__ import annotations

import subprocess
import sys

from opsconsole.clients import flags as clients
from opsconsole.config import flags as config

_LOADED = """
import sys
from pathlib import Path
from opsconsole.clients.flags import make_provider
from opsconsole.config.schema import FlagsConfig
make_provider(FlagsConfig(provider="flagd", path=Path("flags.json")))
ours = [name for name in sys.modules if name.startswith("opsconsole.clients.")]
print(*ours, *{"redis", "httpx", "yaml"} & set(sys.modules))
"""


def test_configuration_and_clients_know_the_same_providers() -> None:
    assert sorted(config.PROVIDERS) == sorted(clients.PROVIDERS)


def test_only_the_provider_that_is_used_is_loaded() -> None:
    run = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, timeout=60, check=True)
    names = {name.removeprefix("opsconsole.clients.flags.") for name in run.stdout.split()}
    assert {"base", "document", "flagd"} <= names
    assert names <= {"base", "document", "edit", "filebased", "files", "flagd", "opsconsole.clients.flags", "yaml"}
