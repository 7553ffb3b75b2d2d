base:
  'cmp*': [opencontrail]
