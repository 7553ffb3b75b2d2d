# Is nova well on this host? Changes nothing; used before an upgrade and after it.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import nova, roles, controller, compute, services, is_db_sync_host with context %}

{%- for service in services %}

nova-verify-{{ service }}:
  cmd.run:
    - name: systemctl is-active {{ service }} && printf '\nchanged=no\n'
    - stateful: True
{%- endfor %}
{%- if 'controller' in roles %}

# Python, because every host of OpenStack has it, which cannot be said of curl.
nova-verify-api:
  cmd.run:
    - name: python3 -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=10)' {{ controller.verify_url }} && printf '\nchanged=no\n'
    - stateful: True
    - require:
{%- for service in controller.services %}
      - cmd: nova-verify-{{ service }}
{%- endfor %}
    - retry:
        attempts: 10
        interval: 3
{%- endif %}
{%- if is_db_sync_host %}

# No service that should work is down. They read `down` for seconds after a restart, so this asks
# again for a minute before it fails.
nova-verify-services-up:
  cmd.run:
    - name: |-
        . {{ nova.rc }} && list=$(openstack compute service list -f value -c Binary -c Host -c Status -c State) || exit 1
        if echo "$list" | grep 'enabled down$' >&2; then exit 1; fi
        printf '\nchanged=no\n'
    - stateful: True
    - onlyif: test -r {{ nova.rc }}
    - require:
      - cmd: nova-verify-api
    - retry:
        attempts: 20
        interval: 3
{%- endif %}
{%- if 'compute' in roles and 'libvirtd' in compute.hypervisor_services %}

# The hypervisor answers, and so do the instances' processes that it watches.
nova-verify-hypervisor:
  cmd.run:
    - name: virsh --connect qemu:///system list && printf '\nchanged=no\n'
    - stateful: True
{%- endif %}
