"""Makes the tested server switch threads all the time, so that a check and a write without a lock come apart."""

import sys

sys.setswitchinterval(1e-6)
