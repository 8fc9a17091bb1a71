"""DaisySIM's protocols: `v1` is virtual, `v2` is server7."""
