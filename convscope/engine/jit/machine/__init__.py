"""This machine: its CPU and LLVM, compiled programs on disk, threads, and what is handed over to a program."""
