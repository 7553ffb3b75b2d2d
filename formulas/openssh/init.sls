include:
  - openssh.server
