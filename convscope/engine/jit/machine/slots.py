"""The *job*: what the runtime hands over to a program, int64 numbers and addresses at these places."""

(THREADS, ABANDONED, YIELD, IMAGES, INDEX, LABELS, COUNT, BATCH, STEPS, LOSSES, RATES, PARAMETERS, STATES, ARENAS,
 LOGITS, DONE, STRIDE, RUNNING, KEYS, PLACES, TEAM, FIRST, MEET) = range(23)  # fmt: skip
ARRIVED, ROUND, SLOTS = 24, 32, 40  # the two counters of the barrier have cache lines of their own
