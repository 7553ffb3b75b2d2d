//! The whole way from SLS names to low state for one host.
