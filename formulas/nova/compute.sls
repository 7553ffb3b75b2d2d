# A compute. Restarting nova-compute and libvirtd leaves running instances alone.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import nova, compute with context %}

include:
  - nova.installed

nova-instances:
  file.directory:
    - name: {{ compute.instances_path }}
    - user: {{ nova.user }}
    - group: {{ nova.group }}
    - mode: '0755'
    - makedirs: True
    - require:
      - pkg: nova-packages

{%- for service in compute.hypervisor_services %}

nova-hypervisor-{{ service }}:
  service.running:
    - name: {{ service }}
    - enable: True
    - require:
      - pkg: nova-packages
    - require_in:
{%- for user in compute.services %}
      - service: nova-service-{{ user }}
{%- endfor %}
{%- endfor %}

{%- for service in compute.services %}

nova-service-{{ service }}:
  service.running:
    - name: {{ service }}
    - enable: True
    - require:
      - file: nova-instances
    - watch:
      - file: nova-config
{%- endfor %}
