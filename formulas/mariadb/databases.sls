# Databases, users and grants. They need the service, which mariadb.server or mariadb.galera brings.
# root@localhost logs in by its socket: there is no root password to keep.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import mariadb with context %}
{%- macro connection() %}
    - connection_user: root
    - connection_unix_socket: {{ mariadb.socket }}
    - connection_charset: utf8
{%- endmacro %}

{%- for name, database in mariadb.databases.items() %}

mariadb-database-{{ name }}:
  mysql_database.present:
    - name: {{ name }}
    - character_set: {{ (database or {}).character_set|default('utf8') }}
    - collate: {{ (database or {}).collate|default('utf8_general_ci') }}
{{- connection() }}
    - require:
      - service: mariadb-service
{%- endfor %}

{%- for name, user in mariadb.users.items() %}
{%- for host in user.hosts|default(['localhost']) %}

mariadb-user-{{ name }}-{{ host }}:
  mysql_user.present:
    - name: {{ name }}
    - host: {{ host|json }}
{%- if user.password_hash is defined %}
    - password_hash: {{ user.password_hash|json }}
{%- elif user.password is defined %}
    - password: {{ user.password|json }}
{%- else %}
    - allow_passwordless: True
{%- endif %}
{{- connection() }}
    - require:
      - service: mariadb-service

{%- for grant in user.grants|default([]) %}

mariadb-grant-{{ name }}-{{ host }}-{{ grant.database }}:
  mysql_grants.present:
    - grant: {{ grant.grant|default('all privileges') }}
    - database: {{ grant.database|json }}
    - user: {{ name }}
    - host: {{ host|json }}
{{- connection() }}
    - require:
      - mysql_user: mariadb-user-{{ name }}-{{ host }}
{%- set database = grant.database.split('.')[0] %}
{%- if database in mariadb.databases %}
      - mysql_database: mariadb-database-{{ database }}
{%- endif %}
{%- endfor %}
{%- endfor %}
{%- endfor %}
