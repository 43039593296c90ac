"""typer imports names that click 8.5 deprecates; the tests turn warnings into errors, so it is imported here,
once, with that one warning left out."""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message=r"'click\..*' is deprecated", category=DeprecationWarning)
    import typer  # noqa: F401  imported for its side effect: later imports find it loaded
