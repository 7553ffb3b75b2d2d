# Brings the database to the installed release, on the one host that the pillar names.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import server, is_db_sync_host with context %}

{%- if is_db_sync_host %}

keystone-db-sync-script:
  file.managed:
    - name: /usr/local/sbin/keystone-db-sync
    - source: salt://keystone/files/db-sync.sh.j2
    - template: jinja
    - user: root
    - group: root
    - mode: '0755'

keystone-db-sync:
  cmd.run:
    - name: /usr/local/sbin/keystone-db-sync
    # It says itself whether it changed anything.
    - stateful: True
    - require:
      - file: keystone-db-sync-script
{%- else %}

keystone-db-sync:
  test.nop:
    - name: the schema is changed on {{ server.db_sync_host }} only
{%- endif %}
