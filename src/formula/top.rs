//! Top files: which SLS a host gets.
