# The computes of the demo: the agent alone, no kernel module, root's own files. The pipeline says which version.
opencontrail:
  group: root
  discovery: {host: 10.0.0.10}
  compute:
    gateway: 10.20.0.1
    packages: [contrail-vrouter-agent]
    services: [contrail-vrouter-agent]
    kernel_module: {manage: false}
    verify_xmpp: false
