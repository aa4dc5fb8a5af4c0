#include "serve.h"
#include <string.h>

static char *title;
static size_t title_bytes;

void keep_title(int argc, char **argv) {
  char *last = argv[argc - 1];
  title = argv[0];
  title_bytes = last + strlen(last) - argv[0];
}

/* The name of the program, and the marker as a word of its own, by which the next worker finds what should be dead. */
void set_title(const char *marker) {
  static const char name[] = "skep-sandbox";
  size_t length = strlen(marker);
  if (title_bytes < title_bytes_min || length + sizeof name >= title_bytes) return;
  memset(title, 0, title_bytes);
  memcpy(title, name, sizeof name);
  memcpy(title + sizeof name, marker, length);
}
