"""What people answered: means and gaps, the twin against which the R package is checked."""
