# The vRouter of a compute. A restart of the agent leaves the flows of running instances in the
# kernel: they go on, and new ones wait for the agent.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import contrail, compute with context %}
{%- set module = compute.kernel_module %}

include:
  - opencontrail.running
{%- if module.manage %}

# Built for the running kernel by DKMS. A newer one takes effect with the next reboot, which is a
# step of the pipeline and never a side effect.
opencontrail-vrouter-package:
  pkg.installed:
    - name: {{ module.package }}
{%- if contrail.version %}
    - version: {{ contrail.version|json }}
{%- endif %}

opencontrail-vrouter-module:
  kmod.present:
    - name: {{ module.name }}
    - persist: True
    - require:
      - pkg: opencontrail-vrouter-package
    - require_in:
{%- for service in compute.services %}
      - service: opencontrail-service-{{ service }}
{%- endfor %}
{%- endif %}
