/* The compiled part of the sandboxes of this machine; docs/sandbox.md says what it does. */
#include "mounts/mount.h"
#include "serve/serve.h"
#include <stdio.h>
#include <string.h>

enum { version = 2 };

int main(int argc, char **argv) {
  const char *verb = argc > 1 ? argv[1] : "";
  if (strcmp(verb, "version") == 0) return printf("skep-sandbox %d\n", version) < 0;
  if (strcmp(verb, "serve") == 0) return serve(argc, argv);
  if (strcmp(verb, "disk") == 0) return disk_main(argc - 1, argv + 1);
  if (strcmp(verb, "overlay") == 0) return overlay_main(argc - 1, argv + 1);
  if (strcmp(verb, "mounts") == 0) return mounts_main(argc - 1, argv + 1);
  if (strcmp(verb, "ground") == 0) return ground_main(argc - 1, argv + 1);
  if (strcmp(verb, "clear") == 0) return clear_main(argc - 1, argv + 1);
  fputs("usage: skep-sandbox version|serve|disk|overlay|ground|clear|mounts …\n", stderr);
  return 2;
}
