# OpenContrail down on this host; its databases run on. On a compute the kernel goes on forwarding
# what it knows.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import services with context %}

{%- for service in services|reverse %}

opencontrail-stopped-{{ service }}:
  service.dead:
    - name: {{ service }}
{%- endfor %}
