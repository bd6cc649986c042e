"""Classes of one's own: pictures are collected in the page, trained on, tested and taken along."""
