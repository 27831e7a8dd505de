"""Where version 0.1.0 had `Seeded` and `SeedError`, which its pickles name."""

from .simulate.seeding import Seeded as Seeded
from .simulate.seeding import SeedError as SeedError
