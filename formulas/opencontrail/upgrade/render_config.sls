# The configuration of the new release. Starts nothing.
include:
  - opencontrail.config
