"""Models and data that can be downloaded: known names, consent, transfer, checksums."""
