"""The zoo's speed beside torchvision's, timm's and the machine's own limit.

references.py   the six networks, each beside the library it is compared with
turns.py        short turns in rounds: every figure is a ratio within a round
eager.py        the zoo's plain networks beside the libraries', operator by operator
inference.py    runtimes, one model at one batch size
choosing.py     what `auto` chooses after a race beside busy programs
training.py     training steps, the zoo's and the plain loop's, a process each
starting.py     imports and static analysis, timed from outside
page.py         what is measured, the bars, and speed.md from speed.json; imports no torch
roofline.py     its picture
"""
