"""One member of the mesh, decided in one object (pure): gossip, ledger, orchestration, attempts."""
