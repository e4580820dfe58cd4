"""Results of VM operations (`sys/vm/vm_param.h`): expected outcomes are values."""

KERN_SUCCESS, KERN_INVALID_ADDRESS, KERN_PROTECTION_FAILURE = 0, 1, 2
KERN_NO_SPACE, KERN_INVALID_ARGUMENT, KERN_FAILURE, KERN_RESOURCE_SHORTAGE = 3, 4, 5, 6
KERN_TRY_AGAIN = 9

KERN_NAMES = {
    KERN_SUCCESS: "success", KERN_INVALID_ADDRESS: "invalid address", KERN_PROTECTION_FAILURE: "protection failure",
    KERN_NO_SPACE: "no space", KERN_INVALID_ARGUMENT: "invalid argument", KERN_FAILURE: "failure",
    KERN_RESOURCE_SHORTAGE: "resource shortage", KERN_TRY_AGAIN: "try again",
}  # fmt: skip
