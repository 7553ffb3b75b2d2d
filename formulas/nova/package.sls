# The packages of every role of this host at once, so that apt can move them together.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import nova, roles, packages with context %}

nova-packages:
  pkg.installed:
    - pkgs:
{%- for package in packages %}
{%- if nova.version %}
      - {{ package }}: {{ nova.version|json }}
{%- else %}
      - {{ package }}
{%- endif %}
{%- endfor %}

{%- for role in roles if nova[role].helper_packages %}

# Libraries and the client, which have versions of their own.
nova-{{ role }}-helper-packages:
  pkg.installed:
    - pkgs: {{ nova[role].helper_packages|json }}
{%- endfor %}
