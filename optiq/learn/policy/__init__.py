"""The choice among strategies: who can choose, what each is worth, the gate, and serving."""
