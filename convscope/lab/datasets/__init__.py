"""Data to choose from: what lies at hand as cards, and the folders of this machine from which one may be chosen."""
