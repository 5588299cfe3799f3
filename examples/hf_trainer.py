"""Hugging Face Trainer: the loss is its compute_loss_func.

    python examples/hf_trainer.py

The transformer is small and starts at random: it reads a digit as four patches. It could repeat every wrong label, so
the noise matrix is one that is known beforehand: measured with `noiselayer estimate`, or learned by another model
(`NoisyLabelClassifier(...).fit(...).noise_matrix_`). Here it is the true one.
"""

import tempfile

import torch
from digits import TRUE_MATRIX, load, report
from transformers import Trainer, TrainingArguments, ViTConfig, ViTForImageClassification

import noiselayer

torch.manual_seed(0)
x, noisy, x_test, y_test = load()
config = ViTConfig(
    image_size=8,
    patch_size=4,
    num_channels=1,
    hidden_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=128,
    num_labels=10,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)
model = ViTForImageClassification(config)
criterion = noiselayer.NoisyLabelLoss(TRUE_MATRIX)
total = noiselayer.NoisyLabelLoss(TRUE_MATRIX, reduction="sum")


def noisy_loss(outputs, labels, num_items_in_batch=None):
    """What the Trainer calls with the model's outputs; divided by all samples where gradients accumulate."""
    if num_items_in_batch is None:
        return criterion(outputs.logits, labels)
    return total(outputs.logits, labels) / num_items_in_batch


class Samples(torch.utils.data.Dataset):
    """Rows as the Trainer wants them."""

    def __len__(self):
        return len(x)

    def __getitem__(self, row):
        return {"pixel_values": x[row].view(1, 8, 8), "labels": noisy[row]}


with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder,
        num_train_epochs=15,
        per_device_train_batch_size=32,
        learning_rate=3e-3,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    Trainer(model, arguments, train_dataset=Samples(), compute_loss_func=noisy_loss).train()

model.eval()
with torch.no_grad():
    predicted = model(pixel_values=x_test.view(-1, 1, 8, 8)).logits.argmax(dim=1)
report(predicted, y_test, TRUE_MATRIX)
