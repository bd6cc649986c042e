"""What every floor keeps on disk or asks of the machine: whole files, locks, strict JSON, places, memory."""
