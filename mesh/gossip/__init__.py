"""Who the peers are and how news spreads among them (pure): membership, registers, anti-entropy."""
