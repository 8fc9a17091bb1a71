"""Ids: integers below 2^53, one type for each thing."""

from __future__ import annotations

from typing import NewType, TypeAlias

AccountId = NewType("AccountId", int)
KeyId = NewType("KeyId", int)
SessionId = NewType("SessionId", int)
TokenKeyId = NewType("TokenKeyId", int)
PoolId = NewType("PoolId", int)
NumberId = NewType("NumberId", int)
ServiceId = NewType("ServiceId", int)
OperatorId = NewType("OperatorId", int)
ActivationId = NewType("ActivationId", int)
RentalId = NewType("RentalId", int)
MessageId = NewType("MessageId", int)
LateMessageId = NewType("LateMessageId", int)
EndpointId = NewType("EndpointId", int)
DeliveryId = NewType("DeliveryId", int)
MailId = NewType("MailId", int)
PublicMessageId = NewType("PublicMessageId", int)
LedgerAccountId = NewType("LedgerAccountId", int)
TransferId = NewType("TransferId", int)
VirtualAccountId = NewType("VirtualAccountId", int)
DepositId = NewType("DepositId", int)
EarningId = NewType("EarningId", int)
PayoutId = NewType("PayoutId", int)
CheckId = NewType("CheckId", int)
GatewayId = NewType("GatewayId", int)

LeaseId: TypeAlias = ActivationId | RentalId
"""Both kinds of lease take their ids from one sequence."""

ID_MAX = 2**53 - 1
