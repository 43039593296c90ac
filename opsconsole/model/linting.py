"""What `opsconsole playbook lint` found in a playbook's folder, as checks show it."""

from __future__ import annotations

import msgspec

from opsconsole.text import SafeText


class Linted(msgspec.Struct, frozen=True, kw_only=True):
    """One finding in a line: `line` is `file:line: rule: message (hint)`. A `warning` is about the machine (a
    program is missing), not the playbook."""

    line: SafeText
    warning: bool = False
