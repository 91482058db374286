"""Trained weights: where they are published, and how another library's become the zoo's, and back.

checkpoints.py   the published files as rows of data
fetch.py         from a row to a file: folder, cache, network
sources.py       what `weights=` may be
files.py, archives.py, pickles.py, hdf5.py, stored.py   reading .pth, .safetensors and .h5 safely
unwrapping.py    where the weights are in a training script's checkpoint
torchvision.py, keras.py, timm.py, native.py   one key map a source
matching.py, provenance.py, loading.py   recognise, check, write
saving.py        what was done to a network undone, and into a file
"""

from zoo.weights.checkpoints import CHECKPOINTS
from zoo.weights.loading import load_weights
from zoo.weights.matching import LAYOUTS
from zoo.weights.saving import export_weights, save_weights

__all__ = ["CHECKPOINTS", "LAYOUTS", "export_weights", "load_weights", "save_weights"]
