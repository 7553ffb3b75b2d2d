# Used by keystone.server.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import keystone, server with context %}

keystone-packages:
  pkg.installed:
    - pkgs:
{%- for package in server.packages %}
{%- if keystone.version %}
      - {{ package }}: {{ keystone.version|json }}
{%- else %}
      - {{ package }}
{%- endif %}
{%- endfor %}
{%- if server.helper_packages %}

# Libraries and the client, which have versions of their own.
keystone-helper-packages:
  pkg.installed:
    - pkgs: {{ server.helper_packages|json }}
{%- endif %}
