"""The harness: plan what is asked, measure it in processes of its own, keep every record, write the report."""
