"""One Lightning run: a network trained to its best validation epoch, resumable if it has a folder."""

from __future__ import annotations

import inspect
import logging
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities.exceptions import SIGTERMException

from noiselayer.choices import OnNonFinite
from noiselayer.data.pieces import samples_at_a_time
from noiselayer.errors import InputError, argument
from noiselayer.training.batches import Part, Trust, even_batch_size, make_loader
from noiselayer.training.checkpoints import StageFolder, WholeCheckpoints, stage_identity
from noiselayer.training.finite import FiniteLoss
from noiselayer.training.interrupt import StopOnInterrupt, TrainingInterrupted, ignore_interrupts
from noiselayer.training.module import NoisyLabelModule
from noiselayer.training.noise_log import CurveRecorder, NoiseLog, end_log, make_logger
from noiselayer.training.options import Hardware
from noiselayer.training.phases import KeepBest, NoisePhases
from noiselayer.training.precision import warn_if_emulated
from noiselayer.training.seeding import EpochSeed


@dataclass
class StageResult:
    """How a stage went.

    Attributes:
        name: Of the stage.
        epochs: Epochs trained.
        best_epoch: The epoch, from 0, whose weights were kept.
        best_loss: Its validation loss.
        switched_at: Epochs finished when Q joined; None if it did not.
        interrupted: Stopped by the user before its end.
        skipped_batches: Batches left out because their loss was NaN or infinite.
        seconds: Spent in training.
        curves: A row per epoch.
    """

    name: str
    epochs: int = 0
    best_epoch: int | None = None
    best_loss: float = float("nan")
    switched_at: int | None = None
    interrupted: bool = False
    skipped_batches: int = 0
    seconds: float = 0.0
    curves: list[dict[str, float]] = field(default_factory=list)


def run_stage(
    name: str,
    module: NoisyLabelModule,
    train: Sequence[Part],
    validation: Sequence[Part],
    *,
    max_epochs: int,
    batch_size: int = 128,
    patience: int | None = None,
    phases: NoisePhases | None = None,
    seed: int = 0,
    alternating: bool = False,
    on_nonfinite: OnNonFinite = "stop",
    hardware: Hardware | None = None,
    folder: Path | None = None,
    callbacks: Sequence[Callback] = (),
) -> StageResult:
    """Train ``module`` and leave it at its best validation epoch.

    Args:
        name: Names the stage, its folder and its rows in the curves.
        module: What is trained, in place.
        train: Samples to train on.
        validation: Samples to validate on, with the same loss; may be empty, then the last epoch is kept.
        max_epochs: At most so many passes over the training samples.
        batch_size: Samples per step.
        patience: Epochs without improvement that end the stage; ignored when ``phases`` decide.
        phases: The two phases of §3.4, if Q joins on the way.
        seed: Of the order of the samples.
        alternating: Clean and other batches in turn, instead of batches drawn from all.
        on_nonfinite: "stop" or "skip" when a batch's loss is NaN or infinite.
        hardware: See :class:`Hardware`.
        folder: Where checkpoints go. A stage that has ended there is loaded, one that was stopped goes on.
        callbacks: More callbacks.

    Returns:
        A record of the stage. After Ctrl-C it says ``interrupted``: the module is at its best epoch so far
        (as it was at the signal, if no epoch was finished), and the folder at the last whole epoch.

    Raises:
        NonFiniteLossError: If the loss is NaN or infinite; it names the batch's samples.
        InputError: If the folder holds the checkpoint of another stage or a damaged one, or cannot be written.
        KeyboardInterrupt: If the user would not wait for the end of a batch and interrupted a second time.
        SystemExit: With code 143, if the process was told to terminate (SIGTERM).
    """
    hardware = hardware or Hardware()
    where = None
    if folder is not None:
        identity = stage_identity(
            name,
            module,
            train,
            validation,
            max_epochs=max_epochs,
            batch_size=batch_size,
            seed=seed,
            alternating=alternating,
            augmentation=module.augmentation,
        )
        where = StageFolder(folder / name, identity)
        record = where.record(module)
        if record is not None:
            return StageResult(**record)
    best = KeepBest(patience=None if phases else patience, phases=phases)
    recorder = CurveRecorder()
    stop = StopOnInterrupt()
    finite = FiniteLoss(train, on_nonfinite)
    module.skip_nonfinite = on_nonfinite == "skip"
    module.all_noisy = all(part.trust == Trust.NOISY for part in (*train, *validation))
    all_callbacks: list[Callback] = [
        EpochSeed(seed),
        finite,
        *([phases] if phases else []),
        *([best] if validation else []),
        recorder,
        *([NoiseLog()] if hardware.logger else []),
        stop,
        *callbacks,
    ]
    if where is not None:
        # (Asked for save_last with save_top_k=0 it saves nothing at all.)
        all_callbacks.append(
            ModelCheckpoint(
                dirpath=where.path,
                filename="last",
                save_top_k=1,
                enable_version_counter=False,
                save_on_train_epoch_end=True,
            )
        )
    checkpoint = None if where is None else where.checkpoint()
    module.to(memory_format=torch.channels_last)
    warn_if_emulated(hardware.accelerator, hardware.precision)
    logger = None if hardware.logger is None else make_logger(hardware.logger, hardware.log_folder, name)
    with _quiet(hardware.progress):
        trainer = pl.Trainer(
            accelerator=hardware.accelerator,
            devices=hardware.devices,
            num_nodes=hardware.num_nodes,
            strategy=hardware.strategy,
            precision=hardware.precision,
            deterministic=hardware.deterministic,
            max_epochs=max_epochs,
            callbacks=all_callbacks,
            logger=False if logger is None else logger,
            enable_checkpointing=where is not None,
            plugins=None if where is None else WholeCheckpoints(where.identity),
            enable_progress_bar=hardware.progress,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
        )
        if phases is not None and isinstance(trainer.strategy, DDPStrategy):
            # Q has no gradient before it joins: DDP must look which parameters have one, or it waits for Q's.
            trainer.strategy._ddp_kwargs["find_unused_parameters"] = True
        workers, held_out = hardware.num_workers, sum(len(part.labels) for part in validation)
        if validation and held_out < trainer.world_size:
            raise InputError(
                f"{held_out} samples to validate on cannot be shared by {trainer.world_size} processes; take a larger "
                f"{argument('validation_fraction')}, or fewer devices."
            )
        training = make_loader(
            train, batch_size=batch_size, shuffle_seed=seed, num_workers=workers, alternating=alternating
        )
        validating = None
        if validation:
            # Without gradients: as many as in a step fit, whatever their size.
            size = max(batch_size, samples_at_a_time(validation[0].inputs.shape, _EVALUATION_BATCH))
            size = even_batch_size(held_out, trainer.world_size, min(size, _EVALUATION_BATCH))
            validating = make_loader(validation, batch_size=size, num_workers=workers)
        for loader in (training, validating):
            if loader is not None:
                loader.worker_init_fn = ignore_interrupts
        interrupted = False
        try:
            with stop:
                trainer.fit(module, training, validating, ckpt_path=checkpoint, **_NO_CODE)
        except TrainingInterrupted as interruption:
            if interruption.at_once:
                raise KeyboardInterrupt from interruption
            interrupted = True
            if best.best_weights is not None:
                module.load_state_dict(best.best_weights)
        except SIGTERMException as terminated:
            # Lightning leaves with code 0, as if all were done. The folder holds the last whole epoch.
            raise SystemExit(128 + signal.SIGTERM) from terminated
        finally:
            if logger is not None:
                end_log(logger, failed=not (trainer.state.finished or interrupted))
    result = StageResult(
        name=name,
        epochs=trainer.current_epoch,
        best_epoch=best.best_epoch,
        best_loss=best.best_loss if best.best_epoch is not None else float("nan"),
        switched_at=phases.switched_at if phases else None,
        interrupted=interrupted,
        skipped_batches=finite.skipped,
        seconds=recorder.seconds,
        curves=recorder.rows,
    )
    if finite.skipped and trainer.is_global_zero:
        warnings.warn(
            f"batches skipped in stage {name}: {finite.skipped:,}. Their loss was NaN or infinite.",
            stacklevel=2,
        )
    if where is not None and not interrupted and trainer.is_global_zero:
        where.finish(module, asdict(result))
    # A signal after the last batch: this stage is whole, but no other shall follow.
    result.interrupted = interrupted or stop.requested
    return result


_EVALUATION_BATCH = 1024
# A checkpoint holds numbers; where Lightning can be told so, it runs no code that somebody put into one.
_NO_CODE: dict[str, Any] = (
    {"weights_only": True} if "weights_only" in inspect.signature(pl.Trainer.fit).parameters else {}
)


@contextmanager
def _quiet(progress: bool) -> Iterator[None]:
    """Lightning announces the machine and recommends loader workers at every run; here that is noise."""
    loggers = [
        logging.getLogger(n)
        for n in ("pytorch_lightning.utilities.rank_zero", "pytorch_lightning.accelerators.cuda")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*Checkpoint directory.*exists and is not empty.*")
        warnings.filterwarnings("ignore", ".*`isinstance\\(treespec, LeafSpec\\)` is deprecated.*")
        warnings.filterwarnings("ignore", ".*`training_step` returned `None`.*")  # a batch that is skipped
        warnings.filterwarnings("ignore", ".*GPU available but not used.*")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
