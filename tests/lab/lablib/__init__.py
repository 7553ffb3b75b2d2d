"""The lab's parts.  `lab` (the command) is the only user."""
