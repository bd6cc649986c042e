"""What Python users get beside the runs: concepts as functions, progress, callbacks, a scikit-learn estimator."""
