"""The families, one paper a file. A new family is its file and its line here."""

from zoo.models import alexnet, googlenet, inception_v3, mobilenet_v1, nin, resnet, vgg, xception

__all__ = ["FAMILIES"]

FAMILIES = (alexnet, nin, vgg, googlenet, resnet, inception_v3, xception, mobilenet_v1)
