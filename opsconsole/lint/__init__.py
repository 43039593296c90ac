"""Looking for what is wrong with a playbook's folder before somebody needs it at 3 am."""
