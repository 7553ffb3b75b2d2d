# OpenContrail's own packages of this host, all of one version, moved together.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import contrail, packages with context %}

opencontrail-packages:
  pkg.installed:
    - pkgs:
{%- for package in packages %}
{%- if contrail.version %}
      - {{ package }}: {{ contrail.version|json }}
{%- else %}
      - {{ package }}
{%- endif %}
{%- endfor %}
