"""Services that know of businesses, behind one interface (sellers.gateways.interface)."""
