"""The kinds of gateways there are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from simyard.edge.gateways import (
    dinstar,
    ejoin,
    gammu,
    generic,
    goip_bridge,
    httpsms,
    jasmin,
    kannel,
    sms_to_url,
    smsforwarder,
    smsgate_android,
    textbee,
)
from simyard.edge.gateways.wire import Kind

_ALL = (
    smsgate_android,
    textbee,
    httpsms,
    smsforwarder,
    sms_to_url,
    gammu,
    goip_bridge,
    dinstar,
    ejoin,
    kannel,
    jasmin,
    generic,
)
KINDS: Final[Mapping[str, Kind]] = MappingProxyType({one.KIND.name: one.KIND for one in _ALL})
