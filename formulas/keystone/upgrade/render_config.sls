# The configuration of the new release. Starts nothing.
include:
  - keystone.config
