"""What `compare` is made of: README.md says how the parts play together."""
