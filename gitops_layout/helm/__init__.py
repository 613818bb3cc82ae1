"""Helm charts: which program renders them, what a chart reads, the values that agents hand over, and rendering."""
