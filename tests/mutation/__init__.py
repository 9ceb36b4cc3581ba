"""How many small faults in payments, checkout and enrollment the fast tests notice: `make mutation SAMPLE=400 SEED=7`.

The faults are mutmut's; which of them are tried and how is ours. mutmut itself leaves out every decorated function, and
so every use case under @retry_conflicts, and knows neither a sample nor which tests reach a line.
"""
