"""ALBERT.jl: BSON files as Julia writes them."""
