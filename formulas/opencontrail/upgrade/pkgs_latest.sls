# The new packages, and nothing started by them: the configuration is still the old one. The kernel
# module's package moves with them, the loaded module does not.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import contrail, roles, compute, packages with context %}
{%- set all = packages|list %}
{%- if 'compute' in roles and compute.kernel_module.manage %}
{%- do all.append(compute.kernel_module.package) %}
{%- endif %}
{%- if grains['os_family'] == 'Debian' %}

# Only if there is something to install, and never in place of a policy that is somebody else's.
opencontrail-upgrade-policy:
  file.managed:
    - name: /usr/sbin/policy-rc.d
    - source: salt://opencontrail/files/policy-rc.d.j2
    - template: jinja
    - mode: '0755'
    - unless: test -e /usr/sbin/policy-rc.d && ! grep -q 'formula .opencontrail' /usr/sbin/policy-rc.d
    - prereq:
      - pkg: opencontrail-upgrade-packages
{%- endif %}

opencontrail-upgrade-packages:
{%- if contrail.version %}
  pkg.installed:
    - pkgs:
{%- for package in all %}
      - {{ package }}: {{ contrail.version|json }}
{%- endfor %}
{%- else %}
  pkg.latest:
    - pkgs: {{ all|json }}
{%- endif %}
    - refresh: True
{%- if grains['os_family'] == 'Debian' %}

# Requires nothing, so that it goes also when the packages failed.
opencontrail-upgrade-policy-absent:
  file.absent:
    - name: /usr/sbin/policy-rc.d
    - onlyif: grep -qs 'formula .opencontrail' /usr/sbin/policy-rc.d
{%- endif %}
