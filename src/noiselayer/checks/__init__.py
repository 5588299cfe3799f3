"""Is the noise model true here? Checks of its assumptions, with figures and a way out (§3.1, §3.3, §4.2).

Start with :func:`check_noise_model`. It runs every check that the data at hand allow.
"""

from noiselayer.checks.check import check_noise_model
from noiselayer.checks.finding import Finding
from noiselayer.noise.floor import noise_floor

__all__ = ["Finding", "check_noise_model", "noise_floor"]
