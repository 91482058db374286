"""What the studies of MobileNet's multipliers have in common."""

__all__ = ["ALL_SMALLER", "GRID", "RESOLUTIONS", "SMALLER", "TRAINED_AT", "WIDTHS", "label"]

WIDTHS = (1.0, 0.75, 0.5, 0.25)
RESOLUTIONS = (224, 192, 160, 128)
GRID = tuple((width, resolution) for width in WIDTHS for resolution in RESOLUTIONS)
TRAINED_AT = {224: 56, 192: 48, 160: 40, 128: 32}  # a quarter of the paper's, pixels
SMALLER = f"Trained here on images of {TRAINED_AT[224]} pixels, a quarter of the paper's side, as in the grid."
ALL_SMALLER = (
    "Resolutions 224, 192, 160 and 128 are trained here on images of 56, 48, 40 and 32 pixels, a quarter of each."
)


def label(*, width: float = 1.0, resolution: int = 224) -> str:
    """One of the sixteen MobileNets."""
    return f"mobilenet_v1:width={width},resolution={resolution}"
