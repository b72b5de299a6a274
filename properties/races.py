"""What clear_refs and a migration do to each other."""

MIGRATED = ("clear_refs takes soft-dirty from a writable migration entry and leaves it writable, "
            "so the page comes back writable and not soft-dirty; before 63222c14c269 a page that "
            "was dirty came back soft-dirty, which hid it")
CLEAN = ("a page that was swapped in is clean, and change_protection() makes it writable; it "
         "migrates as such, and clear_refs leaves it writable")
CLEANED = ("change_protection() takes the dirty bit of a huge page, without which the page comes "
           "back from migration not soft-dirty, and writable where clear_refs came between")
SPLIT = ("the split leaves the dirty bit to the page alone; its PTE then migrates as one that is "
         "writable and clean, and clear_refs leaves it writable")
PRIVATE = "anon private-shmem private-file"

SMALL = ("split", "pageout", "fork:stay", "fork:child", "open:unpopulated", "open:async",
         "guard&unguard", "copy", "copy:wp", "zeropage", "poison&free", "move:in:wp",
         *(f"pin&{fork}" for fork in ("fork", "fork:write")))
"""By what PTEs come to map 2M of anonymous memory, where a store to the huge zero page does not
split it (1ced09e0331f)."""
SMALL_MIGRATES = " ".join(f"{op}&migrate:begin" for op in SMALL)
