# Computes: the agent alone, without its kernel module. The pipeline says which version.
opencontrail:
  roles: [compute]
  compute:
    interface: eth0
    gateway: 198.18.0.1
    packages: [contrail-vrouter-agent]
    services: [contrail-vrouter-agent]
    kernel_module: {manage: false}
    verify_xmpp: false
