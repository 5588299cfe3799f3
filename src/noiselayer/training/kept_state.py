"""What a callback remembers goes into checkpoints and comes back."""

from __future__ import annotations

from typing import Any, ClassVar


class KeptState:
    """Put before ``Callback`` among the bases: the attributes named in ``kept`` survive a resumed run."""

    kept: ClassVar[tuple[str, ...]] = ()

    def state_dict(self) -> dict[str, Any]:
        """Plain types and tensors, for a checkpoint."""
        values = {name.lstrip("_"): getattr(self, name) for name in self.kept}
        return {
            key: value.state_dict() if isinstance(value, KeptState) else value
            for key, value in values.items()
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From a checkpoint."""
        for name in self.kept:
            value, found = getattr(self, name), state_dict[name.lstrip("_")]
            if isinstance(value, KeptState):
                value.load_state_dict(found)
            else:
                setattr(self, name, found)
