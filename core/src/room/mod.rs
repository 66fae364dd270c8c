//! 2. Who is who: names, keys, roles, the life of a room.
