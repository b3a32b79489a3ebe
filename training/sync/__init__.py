"""Workers that train one model together and talk seldom: DiLoCo-style synchronisation.

Each worker takes many steps alone, sends what it changed in few bits, and all apply the same
aggregate. With an outer rate below 1 and each worker on its own data this is Reptile.
"""
