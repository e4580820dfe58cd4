"""Virtual-memory structures without policy: frames, objects, maps, pmaps, pagers."""
