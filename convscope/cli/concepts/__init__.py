"""The verbs that show a concept on numbers that the user gives."""
