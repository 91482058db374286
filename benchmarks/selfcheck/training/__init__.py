"""Long and large trainings held against what was asked of them.

reading.py      from disk to gradient, against torchvision's reference way
contenders.py   one such training of each
photographs.py  what they train on
ready.py        a training on images that are in memory, ready for the network: what it costs beside reading
finetuning.py   what fine-tuning reaches, and in which time
processes.py    two processes against one
loop.py         what the loop costs beside forward, backward and optimizer
page.py         the sections in their order, and training.md from training.json; imports no torch
"""
