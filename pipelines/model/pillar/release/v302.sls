# What differs from release to release: 3.0.2.
repository:
  repos:
    contrail-3.0: {url: 'http://lab-repo/contrail-3.0/', suite: ./, trusted: true, pins: [{packages: contrail-*, pin: version 3.0.*, priority: 900}]}
opencontrail:
  log_level: SYS_DEBUG
