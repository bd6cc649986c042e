"""The programs of bench/, each with the least work: what they print, and that a wrong result does not pass."""
