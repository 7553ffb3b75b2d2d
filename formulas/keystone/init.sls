include:
  - keystone.server
