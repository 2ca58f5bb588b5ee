"""Matrices in fp8 with scales: quantised, and what they are as float32."""

import torch

KINDS = {"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}
SCALES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def is_kept(case, name, x):
    """Whether the case's file holds this matrix in fp8."""
    return case.fp8 is not None and x.dim() == 2 and not any(part in name for part in case.fp8.keep)


def spread(fp8, scales, shape):
    """The scale of each element."""
    rows, cols = fp8.block[0] or shape[0], fp8.block[1] or shape[1]
    return scales.repeat_interleave(rows, 0)[: shape[0]].repeat_interleave(cols, 1)[:, : shape[1]]


def quantise(fp8, x):
    """(fp8, scales): the greatest element of a block becomes the greatest fp8. Scales are rounded up to bf16, so that what
    was quantised gives the same bytes when it is quantised again."""
    rows, cols = fp8.block[0] or x.shape[0], fp8.block[1] or x.shape[1]
    down, across = -(-x.shape[0] // rows), -(-x.shape[1] // cols)
    padded = torch.zeros(down * rows, across * cols)
    padded[: x.shape[0], : x.shape[1]] = x.abs()
    greatest = padded.reshape(down, rows, across, cols).amax((1, 3))
    bits = (greatest / torch.finfo(KINDS[fp8.dtype]).max).view(torch.int32)
    scales = ((bits + 0xFFFF) & ~0xFFFF).view(torch.float32)
    return (x / spread(fp8, scales, x.shape)).to(KINDS[fp8.dtype]), scales


def dequantise(fp8, q, scales):
    return q.float() * spread(fp8, scales, q.shape)


def rounded(fp8, x):
    once = dequantise(fp8, *quantise(fp8, x))
    assert torch.equal(once, dequantise(fp8, *quantise(fp8, once)))
    return once


def raw(x):
    return x.contiguous().view(torch.uint8).numpy().tobytes()


def file_tensors(fp8, name, x):
    """The tensors that hold a matrix: (name, dtype, shape, bytes) of its elements, its scales, and activations' scale."""
    q, scales = quantise(fp8, x)
    shape = tuple(scales.shape)
    if fp8.flat:
        shape = () if scales.numel() == 1 else (scales.numel(),)
    out = [
        (name, fp8.dtype, tuple(x.shape), raw(q)),
        (name + fp8.scale, fp8.scale_dtype, shape, raw(scales.to(SCALES[fp8.scale_dtype]))),
    ]
    if fp8.input_scale:
        out.append((name.removesuffix("weight") + "input_scale", "F32", (), raw(torch.tensor([0.02]))))
    return out
