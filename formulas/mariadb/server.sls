# One MariaDB server on its own.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import mariadb with context %}

include:
  - mariadb.package
  - mariadb.config
  - mariadb.databases

mariadb-service:
  service.running:
    - name: {{ mariadb.service }}
    - enable: True
    - require:
      - file: mariadb-config
      - cmd: mariadb-limits-loaded
{%- if mariadb.server.restart %}
    - watch:
      - file: mariadb-config
{%- endif %}
