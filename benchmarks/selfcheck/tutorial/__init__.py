"""The lesson: why depthwise separable convolutions win in multiply-adds, and less in milliseconds."""
