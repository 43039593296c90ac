"""TLS contexts, one per configuration: making one reads the CA store, which takes 30 ms."""

from __future__ import annotations

import ssl
from functools import lru_cache

from opsconsole.config.schema import TlsConfig
from opsconsole.errors import ConfigError, Problem
from opsconsole.text import safe


def plain_context() -> ssl.SSLContext:
    """A context for clients that speak http only: it trusts nobody and costs nothing to make."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@lru_cache(maxsize=32)
def tls_context(config: TlsConfig) -> ssl.SSLContext:
    """The context for `config`: its CA file (else the system's CAs) and its client certificate.

    Raises ConfigError when a file cannot be read or is not what it should be.
    """
    context = _trusting(config)
    if config.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if config.cert_file is not None:
        try:
            # An empty password keeps OpenSSL from asking for one on the terminal.
            context.load_cert_chain(config.cert_file, config.key_file or config.cert_file, password="")
        except (OSError, ValueError) as error:
            raise _unusable("cert_file", str(config.cert_file), error) from None
    return context


def _trusting(config: TlsConfig) -> ssl.SSLContext:
    if config.ca_file is None:
        paths = ssl.get_default_verify_paths()
        if paths.cafile or paths.capath:
            return ssl.create_default_context()
        import certifi

        return ssl.create_default_context(cafile=certifi.where())
    try:
        return ssl.create_default_context(cafile=str(config.ca_file))
    except (OSError, ValueError) as error:
        raise _unusable("ca_file", str(config.ca_file), error) from None


def _unusable(key: str, path: str, error: OSError | ValueError) -> ConfigError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    problem = Problem(safe(path), 0, key, f"cannot be used: {safe(reason, 200)}")
    return ConfigError((problem,), hint="PEM files are expected: the CA, the certificate and its key")
