//! Limits at their edge: the one host more or less that counts.
