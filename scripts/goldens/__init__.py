"""Makers of the golden files; run by scripts/make_goldens.py."""
