# Whatever this host is.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import roles with context %}

include:
{%- for role in roles %}
  - nova.{{ role }}
{%- endfor %}
