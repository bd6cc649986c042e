"""Convolutions by fewer multiplications: Winograd's minimal filtering, tile by tile."""
