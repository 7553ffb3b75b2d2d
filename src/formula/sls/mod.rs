//! SLS data to high state to low state, as Salt 3007's `state.py` does it.
