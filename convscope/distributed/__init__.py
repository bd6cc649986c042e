"""Several processes that train one net: who they are, what they tell each other, and what they must agree on."""
