# OpenContrail up again.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import services with context %}

{%- for service in services %}

opencontrail-running-{{ service }}:
  service.running:
    - name: {{ service }}
    - enable: True
{%- endfor %}
