# Packages, then the configuration: the packages bring the directory, the user and the group.
include:
  - nova.package
  - nova.config

extend:
  nova-config:
    file:
      - require:
        - pkg: nova-packages
