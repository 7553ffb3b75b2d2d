# Used by mariadb.server and mariadb.galera.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import mariadb with context %}

mariadb-packages:
  pkg.installed:
    - pkgs:
{%- for package in mariadb.packages %}
{%- if mariadb.version %}
      - {{ package }}: {{ mariadb.version|json }}
{%- else %}
      - {{ package }}
{%- endif %}
{%- endfor %}
