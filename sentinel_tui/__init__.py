"""sentinel-tui: the console and command line over sentinel_engine."""
