"""Configuration and playbooks: where the files are, what they mean, and everything that is wrong in them."""
