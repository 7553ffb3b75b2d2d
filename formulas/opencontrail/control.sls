# The control plane on a controller: configuration API, schema transformer, BGP and XMPP control
# node, DNS. Its database first: opencontrail.database.
include:
  - opencontrail.running
