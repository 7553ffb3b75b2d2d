# Puts away what the upgrade left. The backup of `pre` stays until somebody removes it.
opencontrail-upgrade-policy-absent:
  file.absent:
    - name: /usr/sbin/policy-rc.d
    - onlyif: grep -qs 'formula .opencontrail' /usr/sbin/policy-rc.d
