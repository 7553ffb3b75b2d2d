//! Pillar trees: top file, includes, merge strategies.
