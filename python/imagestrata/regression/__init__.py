"""Formulas, model matrices and clustered standard errors, which all regressions share."""
