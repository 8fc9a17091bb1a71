"""QuickSim (`/api/auth`, `/api/users`, `/api/fivesim`, `/api/wallet`). Source: the vendor's page "QuickSim API Documentation"."""
