"""One Lightning run: a fresh network trained to its best validation epoch, resumable if it has a folder."""

from __future__ import annotations

import inspect
import logging
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch import Tensor, nn
from torch.utils.data import DataLoader

from noiselayer.data.labeled import LabeledData
from noiselayer.data.pieces import samples_at_a_time
from noiselayer.errors import InputError, argument
from noiselayer.losses.noise_layer import NoiseLayer
from noiselayer.models import build_model
from noiselayer.training.batches import Part, Trust, even_batch_size, make_loader
from noiselayer.training.checkpoints import StageFolder, WholeCheckpoints, stage_identity
from noiselayer.training.finite import FiniteLoss
from noiselayer.training.interrupt import StopOnInterrupt, TrainingInterrupted
from noiselayer.training.module import NoisyLabelModule
from noiselayer.training.noise_log import CurveRecorder, NoiseLog, end_log, make_logger
from noiselayer.training.options import Hardware, TrainingOptions
from noiselayer.training.phases import KeepBest, NoisePhases
from noiselayer.training.precision import warn_if_emulated
from noiselayer.training.seeding import EpochSeed, seeded
from noiselayer.training.trained import StageResult, TrainedClassifier


@dataclass(frozen=True)
class StageRunner:
    """Runs stages for one classifier, each with a fresh network, and fills the record ``trained``.

    Checkpoints go to ``folder``, if there is one: a stage that has ended there is loaded, one that was stopped goes on.
    """

    options: TrainingOptions
    hardware: Hardware
    folder: Path | None
    trained: TrainedClassifier

    def run(
        self,
        name: str,
        noise_layer: NoiseLayer,
        train: Sequence[Part],
        validation: Sequence[Part],
        *,
        max_epochs: int,
        seed: int,
        phases: NoisePhases | None = None,
        alpha: float | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> NoisyLabelModule:
        """Train a fresh network through ``noise_layer``, and leave it at its best validation epoch.

        Args:
            name: Names the stage, its folder and its rows in the curves.
            noise_layer: Between the network and noisy labels.
            train: Samples to train on.
            validation: Samples to validate on, with the same loss; may be empty, then the last epoch is kept.
            max_epochs: At most so many passes over the training samples.
            seed: Of the first weights and the order of the samples.
            phases: The two phases of §3.4, if Q joins on the way; they decide when to stop, instead of ``patience``.
            alpha: Of the top-down loss, which then stands in Q's place.
            callbacks: More callbacks.

        Returns:
            The module. After Ctrl-C the record says ``interrupted``: the module is at its best epoch so far (as it was
            at the signal, if no epoch was finished), and the folder at the last whole epoch.

        Raises:
            NonFiniteLossError: If the loss is NaN or infinite; it names the batch's samples.
            InputError: If the folder holds the checkpoint of another stage or a damaged one, or cannot be written.
            KeyboardInterrupt: If the user would not wait for the end of a batch and interrupted a second time.
            SystemExit: With code 143, if the process was told to terminate (SIGTERM).
        """
        options, hardware = self.options, self.hardware
        trusts = {part.trust for part in train}
        alternating = options.mixing == "alternating" and Trust.CLEAN in trusts and len(trusts) > 1
        with seeded(seed), _quiet():
            module = self._module(noise_layer, train, validation, alpha, alternating=alternating)
            where = checkpoint = None
            if self.folder is not None:
                identity = stage_identity(
                    name,
                    module,
                    train,
                    validation,
                    max_epochs=max_epochs,
                    batch_size=options.batch_size,
                    seed=seed,
                    alternating=alternating,
                    augmentation=options.augmentation,
                )
                where = StageFolder(self.folder / name, identity)
                record = where.record(module)
                if record is not None:
                    self.trained.stages.append(StageResult(**record))
                    return module
                checkpoint = where.checkpoint()
            best = KeepBest(patience=None if phases else options.patience, phases=phases)
            recorder, stop, finite = (
                CurveRecorder(),
                StopOnInterrupt(),
                FiniteLoss(train, options.on_nonfinite),
            )
            module.to(memory_format=torch.channels_last)
            warn_if_emulated(hardware.accelerator, hardware.precision)
            trainer = self._trainer(
                name,
                max_epochs,
                [
                    EpochSeed(seed),
                    finite,
                    *([phases] if phases else []),
                    *([best] if validation else []),
                    recorder,
                    *([NoiseLog()] if hardware.logger else []),
                    stop,
                    *callbacks,
                ],
                where,
            )
            if phases is not None and isinstance(trainer.strategy, DDPStrategy):
                # Q has no gradient before it joins: DDP must look which parameters have one, or it waits for Q's.
                trainer.strategy._ddp_kwargs["find_unused_parameters"] = True
            loading: dict[str, Any] = {"num_workers": hardware.num_workers, "batch_size": options.batch_size}
            training = make_loader(train, shuffle_seed=seed, alternating=alternating, **loading)
            validating = None
            if validation:
                loading["batch_size"] = _evaluation_size(validation, options.batch_size, trainer.world_size)
                validating = make_loader(validation, **loading)
            interrupted = _fit(trainer, module, training, validating, checkpoint, stop)
            if interrupted and best.best_weights is not None:
                module.load_state_dict(best.best_weights)
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
        self.trained.stages.append(result)
        if result.interrupted:  # even in a warm-up: a stopped run predicts with what it has
            self.trained.interrupted = True
            self.trained.network = module.network.cpu().eval()
        return module

    def _module(
        self,
        noise_layer: NoiseLayer,
        train: Sequence[Part],
        validation: Sequence[Part],
        alpha: float | None,
        *,
        alternating: bool,
    ) -> NoisyLabelModule:
        o = self.options
        only_noisy = all(part.trust == Trust.NOISY for part in train)
        module = NoisyLabelModule(
            build_model(**self.trained.model_arguments),
            noise_layer,
            o.optimization,
            # A weight against other samples means nothing where there are none, as in a warm-up.
            noisy_weight=1.0 if only_noisy else o.noisy_weight,
            outside_weight=o.outside_weight,
            alpha=alpha,
            trust_scale=_shares(train) if alternating else (1.0, 1.0),
            augmentation=o.augmentation,
        )
        module.skip_nonfinite = o.on_nonfinite == "skip"
        module.all_noisy = only_noisy and all(part.trust == Trust.NOISY for part in validation)
        return module

    def _trainer(
        self, name: str, max_epochs: int, callbacks: list[Callback], where: StageFolder | None
    ) -> pl.Trainer:
        hardware = self.hardware
        if where is not None:
            # (Asked for save_last with save_top_k=0 it saves nothing at all.)
            saver = ModelCheckpoint(
                where.path,
                filename="last",
                save_top_k=1,
                enable_version_counter=False,
                save_on_train_epoch_end=True,
            )
            callbacks = [*callbacks, saver]
        return pl.Trainer(
            **{name: getattr(hardware, name) for name in _OF_TRAINER},
            max_epochs=max_epochs,
            callbacks=callbacks,
            logger=False
            if hardware.logger is None
            else make_logger(hardware.logger, hardware.log_folder, name),
            enable_checkpointing=where is not None,
            plugins=None if where is None else WholeCheckpoints(where.identity),
            enable_progress_bar=hardware.progress,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
        )

    def run_folds(
        self,
        name: str,
        data: LabeledData,
        fold_of: Tensor,
        part: Callable[[LabeledData], Part],
        validation: Sequence[Part],
        *,
        noise_matrix: Tensor | None = None,
        max_epochs: int,
        seed: int,
    ) -> Iterator[tuple[Tensor, LabeledData, nn.Module]]:
        """For each fold its rows, its samples and a network trained on the others, Q fixed; ends early if stopped."""
        for k in range(self.options.folds):
            left_out = (fold_of == k).nonzero().flatten()
            module = self.run(
                f"{name}-{k}",
                NoiseLayer(data.num_classes, noise_matrix, trainable=False),
                [part(data.subset((fold_of != k).nonzero().flatten()))],
                validation,
                max_epochs=max_epochs,
                seed=seed + k,
            )
            if self.trained.interrupted:
                return
            yield left_out, data.subset(left_out), module.network


def _fit(
    trainer: pl.Trainer,
    module: NoisyLabelModule,
    training: DataLoader[Any],
    validating: DataLoader[Any] | None,
    checkpoint: Path | None,
    stop: StopOnInterrupt,
) -> bool:
    """Train, from the checkpoint if there is one; whether the user has stopped it."""
    interrupted = False
    try:
        with stop:
            trainer.fit(module, training, validating, ckpt_path=checkpoint, **_NO_CODE)
    except TrainingInterrupted as interruption:
        if interruption.at_once:
            raise KeyboardInterrupt from interruption
        interrupted = True
    except SIGTERMException as terminated:
        # Lightning leaves with code 0, as if all were done. The folder holds the last whole epoch.
        raise SystemExit(128 + signal.SIGTERM) from terminated
    finally:
        if trainer.logger is not None:
            end_log(trainer.logger, failed=not (trainer.state.finished or interrupted))
    return interrupted


def _shares(parts: Sequence[Part]) -> tuple[float, float]:
    """Twice the share of the clean samples and of the others: what undoes a one-to-one alternation."""
    total = sum(len(part.labels) for part in parts)
    clean = sum(len(part.labels) for part in parts if part.trust == Trust.CLEAN)
    return 2 * clean / total, 2 * (total - clean) / total


def _evaluation_size(validation: Sequence[Part], batch_size: int, processes: int) -> int:
    # Without gradients: as many as in a step fit, whatever their size.
    held_out = sum(len(part.labels) for part in validation)
    if held_out < processes:
        raise InputError(
            f"{held_out} samples to validate on cannot be shared by {processes} processes; take a larger "
            f"{argument('validation_fraction')}, or fewer devices."
        )
    size = max(batch_size, samples_at_a_time(validation[0].inputs.shape, _EVALUATION_BATCH))
    return even_batch_size(held_out, processes, min(size, _EVALUATION_BATCH))


_EVALUATION_BATCH = 1024
_OF_TRAINER = ("accelerator", "devices", "num_nodes", "strategy", "precision", "deterministic")
# A checkpoint holds numbers; where Lightning can be told so, it runs no code that somebody put into one.
_NO_CODE: dict[str, Any] = (
    {"weights_only": True} if "weights_only" in inspect.signature(pl.Trainer.fit).parameters else {}
)


@contextmanager
def _quiet() -> Iterator[None]:
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
