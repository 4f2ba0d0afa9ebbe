"""Nothing is lost: processes that are killed, files that are torn, disks that are full, hours of load."""
