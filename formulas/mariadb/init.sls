include:
  - mariadb.server
