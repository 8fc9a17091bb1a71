"""Ids: integers below 2^53, one type for each thing."""

from __future__ import annotations

from typing import NewType

AccountId = NewType("AccountId", int)
KeyId = NewType("KeyId", int)
PoolId = NewType("PoolId", int)
NumberId = NewType("NumberId", int)
ServiceId = NewType("ServiceId", int)
OperatorId = NewType("OperatorId", int)
ActivationId = NewType("ActivationId", int)
MessageId = NewType("MessageId", int)
LedgerAccountId = NewType("LedgerAccountId", int)
TransferId = NewType("TransferId", int)

ID_MAX = 2**53 - 1
