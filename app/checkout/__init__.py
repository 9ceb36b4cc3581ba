"""Orders and their money: start_checkout(), settle(), reconcile(), the ledger and the derived state."""
