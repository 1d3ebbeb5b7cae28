"""Runs of scripts/chaos.  A module of this folder is found by its name and
puts what it offers into RUNS = {name: Run(...)}; see common.Run."""
