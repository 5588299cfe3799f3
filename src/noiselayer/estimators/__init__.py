"""Estimators with scikit-learn's interface: a network, any classifier, boosted trees."""
