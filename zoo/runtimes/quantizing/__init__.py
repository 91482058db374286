"""Networks in 8-bit integers: what they are calibrated on, how they are made, what is read back of them."""
