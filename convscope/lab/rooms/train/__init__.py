"""What room 7 shows of a run beside its curves: looks, single updates, the film, and the rate that a net bears."""
