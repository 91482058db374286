"""The families, one paper a file. A new family is its file and its line here."""

from zoo.models import alexnet, googlenet, mobilenet_v1, resnet, vgg, xception

__all__ = ["FAMILIES"]

FAMILIES = (alexnet, vgg, googlenet, resnet, mobilenet_v1, xception)
