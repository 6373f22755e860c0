"""The headless engine of sentinel-tui: kernel events in, sandboxed rules over them, alerts out."""
