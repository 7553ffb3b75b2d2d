# What differs from release to release: 3.1.1. The repository of the release before stays for a rollback, without its pin.
repository:
  repos:
    contrail-3.0: {url: 'http://lab-repo/contrail-3.0/', suite: ./, trusted: true}
    contrail-3.1: {url: 'http://lab-repo/contrail-3.1/', suite: ./, trusted: true, pins: [{packages: contrail-*, pin: version 3.1.*, priority: 900}]}
opencontrail:
  log_level: SYS_NOTICE
