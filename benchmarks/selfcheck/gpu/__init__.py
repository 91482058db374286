"""The zoo on one NVIDIA GPU: what networks reach of it, beside torchvision and timm, and how fast they train there."""
