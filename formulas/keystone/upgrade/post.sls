# Puts away what the upgrade left. The backup of `pre` stays until somebody removes it.
keystone-upgrade-policy-absent:
  file.absent:
    - name: /usr/sbin/policy-rc.d
    - onlyif: grep -qs 'formula .keystone' /usr/sbin/policy-rc.d
