"""Banks that payouts go through, each behind one interface (settlements.gateways.interface)."""
