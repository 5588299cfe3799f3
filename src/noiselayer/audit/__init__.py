"""Which labels are wrong: a classifier's opinion and the noise matrix, put together by Bayes' rule."""

from noiselayer.audit.posterior import label_error_probability, posterior

__all__ = ["label_error_probability", "posterior"]
