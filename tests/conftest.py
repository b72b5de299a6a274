"""Tests ask every question anew: an answer of an earlier run would prove nothing."""

import os

from model.checking.proofs import OFF

os.environ[OFF] = "1"
