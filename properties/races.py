"""What clear_refs and a migration do to each other."""

MIGRATED = ("clear_refs takes soft-dirty from a writable migration entry and leaves it writable, "
            "so the page comes back writable and not soft-dirty; before 63222c14c269 a page that "
            "was dirty came back soft-dirty, which hid it")
PRIVATE = "anon private-shmem private-file"
