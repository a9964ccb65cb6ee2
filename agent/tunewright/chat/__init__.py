"""`tunewright chat`: a talk about studies while their trials run in the background."""
