"""What the parts of homes stand on (`node.homes`)."""

from dataclasses import dataclass

from hermes.conversation.bus import Bus
from hermes.core.clock import Clock
from hermes.node.home_circle import Circle
from hermes.node.home_letters import Mail
from hermes.node.home_parcels import Parcels
from hermes.node.intake import Intake
from hermes.store.store import Store


@dataclass(frozen=True)
class HomeGround:
    """One node's; `me` is its key."""

    me: str
    store: Store
    bus: Bus
    intake: Intake
    parcels: Parcels
    mail: Mail
    circle: Circle
    clock: Clock
