"""vmconc: run a BSD page-fault locking protocol on emulated CPUs, profile its locks and hunt its bugs."""

__version__ = "0.1.0"
