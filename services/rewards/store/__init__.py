"""All SQL of rewards: a file per noun, each over one open transaction."""

from services.rewards.store.copies import CopyStore
from services.rewards.store.facts import FactStore
from services.rewards.store.ledgers import LedgerStore
from services.rewards.store.policies import PolicyStore
from services.rewards.store.redemptions import RedemptionStore
from services.rewards.store.runs import RunStore

__all__ = ["CopyStore", "FactStore", "LedgerStore", "PolicyStore", "RedemptionStore", "RunStore"]
