//! The states of Docker against a daemon that answers as the Engine API documents it, and keeps what it is told.
