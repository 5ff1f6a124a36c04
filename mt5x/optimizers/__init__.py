"""Optimizers with their state beside the parameters, and the schedules of the learning rate."""

from mt5x.optimizers.adafactor import Adafactor
from mt5x.optimizers.adamw import AdamW
from mt5x.optimizers.optimizer import Optimizer, Squares, sum_of_squares
from mt5x.optimizers.row_gradient import RowGradient
from mt5x.optimizers.schedule import LearningRate, learning_rate

__all__ = [
    "Adafactor",
    "AdamW",
    "LearningRate",
    "Optimizer",
    "RowGradient",
    "Squares",
    "learning_rate",
    "sum_of_squares",
]
