"""The columns of `results.csv` and their types, known without pandas."""

from types import MappingProxyType

__all__ = ["COLUMNS"]

COLUMNS = MappingProxyType(
    {
        "model": "string",
        "family": "string",
        "weights": "string",
        "runtime": "string",
        "device": "string",
        "img_size": "Int64",
        "batch_size": "Int64",
        "precision": "string",
        "num_threads": "Int64",
        "param_count": "Int64",
        "gmacs": "Float64",
        "gflops": "Float64",
        "macts": "Float64",
        "latency_ms_p50": "Float64",
        "latency_ms_ci95_lo": "Float64",
        "latency_ms_ci95_hi": "Float64",
        "rel_speed": "Float64",
        "samples_per_sec": "Float64",
        "gmacs_per_sec": "Float64",
        "peak_rss_mb": "Float64",
        "dataset": "string",
        "top1": "Float64",
        "top1_ci95_lo": "Float64",
        "top1_ci95_hi": "Float64",
        "top5": "Float64",
        "epochs": "Int64",
        "train_samples_per_sec": "Float64",
        "published_params": "Int64",
        "published_gmacs": "Float64",
        "published_top1": "Float64",
        "published_source": "string",
        "status": "string",
        "error": "string",
    }
)
