"""Resize and centre crop with the arithmetic of Keras's world, for the weights that come from it."""

from __future__ import annotations

from typing import Any

from torchvision.transforms import v2

__all__ = ["ResizedCenterCrop"]


class ResizedCenterCrop(v2.Transform):
    """Shorter side to `resize` pixels, the longer one rounded; then the central square of `size`, margins rounded down.

    torchvision's `Resize` rounds the longer side down and its `CenterCrop` an odd margin to an even half. The pixel
    between the two moves the top-5 accuracy of a small MobileNet by two points.
    """

    def __init__(self, resize: int, size: int, interpolation: v2.InterpolationMode) -> None:
        super().__init__()
        self.resize = resize
        self.size = size
        self.interpolation = interpolation

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        height, width = v2.functional.get_size(inpt)
        scale = self.resize / min(height, width)
        height, width = round(height * scale), round(width * scale)
        image = v2.functional.resize(inpt, [height, width], interpolation=self.interpolation, antialias=True)
        top, left = (height - self.size) // 2, (width - self.size) // 2
        return v2.functional.crop(image, top, left, self.size, self.size)
