# The configuration of the new release. Starts nothing.
include:
  - nova.config
