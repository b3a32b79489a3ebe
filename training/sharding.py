"""Several devices under torchrun: torch's own FSDP, and one process where there is no torchrun.

Weights, gradients and moments lie in shards over the processes; checkpoints are whole, written
by the first, and can be resumed by any number of processes.
"""

from typing import Any

import torch
from torch import Tensor, distributed
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.optim import Optimizer

from training.model import Model

_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
_SPREAD = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)


class Group:
    """The processes that train one model together; alone unless `join` found torchrun."""

    def __init__(self, rank: int = 0, processes: int = 1) -> None:
        self.rank, self.processes = rank, processes

    @classmethod
    def join(cls, device: torch.device) -> "Group":
        """Meet the other processes that torchrun started; a group of one where it didn't."""
        if not (distributed.is_available() and distributed.is_torchelastic_launched()):
            return cls()
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.processes > 1

    def share(self, model: Model) -> None:
        """Spread the weights over the processes; a layer is gathered when it is wanted."""
        if not self.several:
            return
        for block in model.blk:
            fully_shard(block)
        fully_shard(model, reshard_after_forward=False)  # the loss uses the embedding again
        register_fsdp_forward_method(model, "hidden")

    def leave(self) -> None:
        """Part from the others."""
        if self.several:
            distributed.barrier()  # nobody goes while another still talks: gloo aborts then
            distributed.destroy_process_group()

    def sum(self, value: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.several:
            distributed.all_reduce(value)
        return value

    def agreed(self, value: float) -> float:
        """The largest of all, so that everyone decides alike."""
        if not self.several:
            return value
        shared = torch.tensor(value, dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            shared = shared.cuda()
        distributed.all_reduce(shared, distributed.ReduceOp.MAX)
        return float(shared)

    def state(self, model: Model, optimizer: Optimizer) -> tuple[dict[str, Any], dict[str, Any]]:
        """Whole weights and moments as one process alone has them; for the first to write."""
        if not self.several:
            return model.state_dict(), optimizer.state_dict()
        weights = get_model_state_dict(model, options=_WHOLE)
        named = get_optimizer_state_dict(model, optimizer, options=_WHOLE)
        if not self.first:
            return {}, {}
        numbers = {name: number for number, (name, _) in enumerate(model.named_parameters())}
        state = {numbers[name]: value for name, value in named["state"].items()}
        groups = [
            g | {"params": sorted(numbers[name] for name in g["params"])}
            for g in named["param_groups"]
        ]
        return weights, {"state": state, "param_groups": groups}

    def set_state(
        self, model: Model, optimizer: Optimizer, weights: dict[str, Any], moments: dict[str, Any]
    ) -> None:
        """Give model and optimiser what `state` returned, on however many processes it was."""
        if not self.several:
            model.load_state_dict(weights)
            optimizer.load_state_dict(moments)
            return
        names = [name for name, _ in model.named_parameters()]
        state = {names[number]: value for number, value in moments["state"].items()}
        groups = [g | {"params": [names[n] for n in g["params"]]} for g in moments["param_groups"]]
        set_model_state_dict(model, weights, options=_SPREAD)
        named = {"state": state, "param_groups": groups}
        set_optimizer_state_dict(model, optimizer, named, options=_SPREAD)
