# Brings the databases to the installed release and maps the cells, on the one host that the
# pillar names.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import controller, is_db_sync_host with context %}

{%- if is_db_sync_host %}

nova-db-sync-script:
  file.managed:
    - name: /usr/local/sbin/nova-db-sync
    - source: salt://nova/files/db-sync.sh.j2
    - template: jinja
    - user: root
    - group: root
    - mode: '0755'

nova-db-sync:
  cmd.run:
    - name: /usr/local/sbin/nova-db-sync
    # It says itself whether it changed anything.
    - stateful: True
    - require:
      - file: nova-db-sync-script
{%- else %}

nova-db-sync:
  test.nop:
    - name: the schema is changed on {{ controller.db_sync_host or 'the controllers' }} only
{%- endif %}
