"""Two processes: the losses that are reported are those of all samples, not of the first process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own: forking one that has run other tests inherits their threads.
SCRIPT = """
import json, sys, warnings
import torch
from pytorch_lightning.callbacks import LambdaCallback
from noiselayer import NoiseLayer
from noiselayer.data import ArrayInputs
from noiselayer.training import Hardware, NoisyLabelModule, Optimization, Part, Source, run_stage

warnings.filterwarnings("error", message=".*sync_dist.*")
torch.manual_seed(0)
x, y = torch.randn(64, 5), torch.arange(64) % 3
network = torch.nn.Linear(5, 3)
loss = float(torch.nn.functional.cross_entropy(network(x), y))
# Steps of length 0: the loss of the epoch is that of all samples.
still = Optimization(learning_rate=0.0, weight_decay=0.0, schedule="constant")
module = NoisyLabelModule(network, NoiseLayer(3, trainable=False), still)
part = Part(ArrayInputs(x), y, Source.NOISY)
hardware = Hardware(accelerator="cpu", devices=2, strategy="ddp_fork")

def report(trainer, *arguments):
    if trainer.is_global_zero:
        print(json.dumps({k: float(v) for k, v in trainer.callback_metrics.items()} | {"all": loss}))

run_stage("main", module, [part], [part], max_epochs=1, batch_size=8, hardware=hardware,
          callbacks=[LambdaCallback(on_fit_end=lambda trainer, module: report(trainer))])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs processes that fork")
def test_the_training_loss_is_that_of_all_processes(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "two.py")], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.strip().splitlines()[-1])
    assert seen["train_loss"] == pytest.approx(seen["all"], rel=1e-6)
    assert seen["val_loss"] == pytest.approx(seen["all"], rel=1e-6)
    assert "sync_dist" not in done.stderr
