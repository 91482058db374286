"""Trained weights: where they are published, and how another library's become the zoo's, and back.

checkpoints.py   the published files as rows of data
fetch.py         from a row to a file: folder, cache, network
files.py         reading .pth, .safetensors and .h5 safely
torchvision.py, keras.py, timm.py, native.py   one key map a source
loading.py       recognise, check, write
"""

from zoo.weights.checkpoints import CHECKPOINTS
from zoo.weights.loading import LAYOUTS, export_weights, load_weights, save_weights

__all__ = ["CHECKPOINTS", "LAYOUTS", "export_weights", "load_weights", "save_weights"]
