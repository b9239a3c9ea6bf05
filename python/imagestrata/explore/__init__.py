"""Look at any step: typical images, gallery, montage, trace."""
