# Puts away what the upgrade left, and the host back into service. The backup of `pre` stays until
# somebody removes it.
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import nova, roles, controller, upgrade, is_db_sync_host with context %}

nova-upgrade-policy-absent:
  file.absent:
    - name: /usr/sbin/policy-rc.d
    - onlyif: grep -qs 'formula .nova' /usr/sbin/policy-rc.d
{%- if 'compute' in roles and upgrade.take_out %}

# Only a compute that `pre` took out: one that somebody else disabled has another reason.
nova-upgrade-put-back:
  cmd.run:
    - name: . {{ nova.rc }} && openstack compute service set --enable {{ grains['host'] }} nova-compute
    - onlyif: . {{ nova.rc }} && openstack compute service list --long --host {{ grains['host'] }} --service nova-compute -f value -c 'Disabled Reason' | grep -qxF '{{ upgrade.reason }}'
{%- endif %}
{%- if is_db_sync_host %}

nova-upgrade-online-migrations:
  cmd.run:
    - name: runuser -u {{ nova.user }} -- nova-manage db online_data_migrations && printf '\nchanged=no\n'
    - stateful: True
{%- endif %}
{%- if 'controller' in roles and upgrade.release_pin %}

# `upgrade_levels: auto` is looked up at the start: until then controllers speak as the oldest
# compute did. Asked for once the last compute is new.
nova-upgrade-pin-released:
  cmd.run:
    - name: systemctl restart {{ controller.services|join(' ') }}
{%- endif %}
