"""The command line: one module per group of commands. The screens and the demo are imported only inside the
commands that need them."""
