# Used by mariadb.server and mariadb.galera.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import mariadb with context %}

mariadb-config:
  file.managed:
    - name: {{ mariadb.config }}
    - source: salt://mariadb/files/server.cnf.j2
    - template: jinja
    - user: root
    - group: root
    - mode: '0644'
    # MariaDB does not start with a variable that it does not know.
    - check_cmd: sh -c '{{ mariadb.program }} --defaults-file="$0" --verbose --help >/dev/null'
    - require:
      - pkg: mariadb-packages

mariadb-limits:
  file.managed:
    - name: /etc/systemd/system/mariadb.service.d/upshift.conf
    - source: salt://mariadb/files/limits.conf
    - makedirs: True
    - user: root
    - group: root
    - mode: '0644'

mariadb-limits-loaded:
  cmd.run:
    - name: systemctl daemon-reload
    - onchanges:
      - file: mariadb-limits
