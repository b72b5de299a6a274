"""The C of a kernel tree: found, digested, interpreted over Z3, and compared with the model."""
