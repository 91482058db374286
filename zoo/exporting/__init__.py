"""Networks as files for other programs: ONNX and OpenVINO, checked, with all they need inside and a card beside."""
