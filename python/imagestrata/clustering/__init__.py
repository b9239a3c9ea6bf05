"""One cluster, or the residual, per image, with the whole trace."""
