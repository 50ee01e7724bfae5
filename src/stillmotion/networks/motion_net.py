"""motion-net: residual separable convolutions made for int8.

Our own design, after MobileNet and the keyword-spotting networks that run on microcontrollers: no recurrent
layers, no gates, only ReLU6 activations, whose range is known before calibration, batch normalisation that folds into
the convolution before it, widths in multiples of eight for SIMD, one average over time at the end. Time is quartered,
so that the activations need little memory.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
from keras import layers

from .layers import BatchNormalization, Conv1D, DepthwiseConv1D
from .network import Network, begin, finish, tap
from .shape import Shape

KERNEL = 7


def build_motion_net(shape: Shape, *, width: int, blocks: int, name: str) -> keras.Model:
    """Build a motion-net.

    Args:
        shape: samples (at least 4), channels and classes.
        width: filters of the first convolution; the blocks after the second halving of time have twice as many.
        blocks: separable blocks, at least 2.
        name: the model's name.
    """
    shape.require_window(4, name, "it halves time twice")
    inputs, x = begin(shape)
    x = stack_blocks(x, width, blocks=blocks)
    x = layers.GlobalAveragePooling1D(name="embedding")(x)
    return finish(inputs, x, shape, name)


def stack_blocks(x: Any, width: int, *, blocks: int) -> Any:
    """Return the last stage of a first convolution and separable blocks on a signal (T, D): (T / 4, 2 width)."""
    x = _normed(Conv1D(width, 5, strides=2, padding="same", use_bias=False, name="stem")(x), "stem")
    x = tap(x, "stage1")  # (T / 2, width)
    x = tap(_block(x, width, number=1), "stage2")
    x = tap(_block(x, 2 * width, number=2, stride=2), "stage3")  # (T / 4, 2 width)
    for number in range(3, blocks + 1):
        x = tap(_block(x, 2 * width, number=number), f"stage{number + 1}")
    return x


def _block(x: Any, filters: int, *, number: int, stride: int = 1) -> Any:
    shortcut = x
    depthwise = DepthwiseConv1D(KERNEL, strides=stride, padding="same", use_bias=False, name=f"depthwise{number}")
    x = _normed(depthwise(x), f"depthwise{number}")
    x = Conv1D(filters, 1, use_bias=False, name=f"pointwise{number}")(x)
    if stride == 1 and shortcut.shape[-1] == filters:
        x = BatchNormalization(momentum=0.9, name=f"pointwise{number}_norm")(x)
        x = layers.Add(name=f"sum{number}")([x, shortcut])
        return layers.Activation("relu6", name=f"sum{number}_relu6")(x)
    return _normed(x, f"pointwise{number}")


def _normed(x: Any, name: str) -> Any:
    x = BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.Activation("relu6", name=f"{name}_relu6")(x)


def _size(size: str, *, width: int, blocks: int, about: str) -> Network:
    name = f"motion-net-{size}"
    return Network(
        name=name,
        title=f"Separable residual network for int8, about {about} parameters at (128, 6, 6)",
        source="Own design",
        build=partial(build_motion_net, width=width, blocks=blocks, name=name),
        taps=("logits", "embedding", *(f"stage{number}" for number in range(1, blocks + 2))),
        least_window=4,
    )


NETWORKS = (
    _size("xs", width=8, blocks=4, about="1.5 k"),
    _size("s", width=16, blocks=5, about="6 k"),
    _size("m", width=24, blocks=6, about="16 k"),
    _size("l", width=48, blocks=7, about="60 k"),
)
