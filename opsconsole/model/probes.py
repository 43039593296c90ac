"""What an HTTP probe of a playbook got for an answer."""

from __future__ import annotations

import msgspec

from opsconsole.text import SafeText, trusted


class ProbeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: its HTTP status, the seconds from connecting to the last byte, whether the body has the text
    that the probe expects (True when it expects none), and the beginning of the body.

    When there was no whole answer `status` is 0 and `failure` says why: the target refused, broke off or was
    too slow, so that it is certain that it did not answer as it should.
    """

    status: int
    seconds: float = 0.0
    contains: bool = True
    start: SafeText = trusted("")
    failure: SafeText = trusted("")
