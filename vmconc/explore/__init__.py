"""The controlled engine's shell: what is explored, how failures are kept, shown and replayed."""
