"""One file per figure: what is compared, what is printed, what is asked."""
