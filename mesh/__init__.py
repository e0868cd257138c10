"""The running node: its peers, its ledger, the cores put together, and its doors."""
