-- An artifact that is said again replaces the one of its name.
grant delete on blobs to {engine};
