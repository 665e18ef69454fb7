"""What is in common use, restated plainly: the usual kernels and the eager forms of losses and scatters."""
