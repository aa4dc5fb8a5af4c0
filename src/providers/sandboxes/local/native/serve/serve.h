/* The launcher of sandboxed commands: what its parts share. launcher.ts is its other end. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
  frame_bytes_max = 8 << 20,
  sandboxes_max = 4096,
  entries_max = 128,
  masks_max = 32,
  joins_max = 8,
  binds_max = 64,
  filter_instructions_max = 4096,
  title_bytes_min = 256,
};

/* A frame is read from front to back; what does not fit makes it bad, and nothing of a bad one is used. */
struct words {
  const char *at;
  const char *end;
  bool bad;
};

uint32_t take_number(struct words *words);
uint64_t take_large(struct words *words);
/* Ends with a NUL and holds no other. */
const char *take_text(struct words *words);
const void *take_bytes(struct words *words, size_t *length);
/* A count of things that each take at least `bytes_min`. */
uint32_t take_count(struct words *words, uint32_t max, size_t bytes_min);

/* What all sandboxes show alike. */
enum entry_kind { entry_folder = 1, entry_link = 2, entry_bind = 3, entry_file = 4, entry_device = 5 };

struct entry {
  uint32_t kind;
  const char *path;
  /* Of a link where it leads, of a bind where it comes from, of a file what it holds. */
  const char *what;
};

struct config {
  struct entry entries[entries_max];
  uint32_t entry_count;
  const char *masks[masks_max];
  uint32_t mask_count;
  const void *filter;
  uint16_t filter_instructions;
};

/* One sandbox. */
struct plan {
  uint32_t uid;
  bool keeps;
  /* Zero: no limit by the process itself. */
  uint64_t processes_max;
  uint64_t data_bytes_max;
  uint64_t tmp_bytes;
  uint64_t shm_bytes;
  const char *marker;
  const char *slot;
  /* Files of version 1 that a process writes 0 to, and the folder of the group of version 2 or "". */
  const char *joins[joins_max];
  uint32_t join_count;
  const char *group;
  struct {
    const char *from;
    const char *to;
  } binds[binds_max];
  uint32_t bind_count;
};

/* A mount namespace with the tree that all sandboxes begin with, and what its binds were of when it was made. */
struct tree {
  int fd;
  struct {
    dev_t device;
    ino_t inode;
  } seen[entries_max];
};

/* False, with words on stderr, where it can't be made. */
bool make_tree(const struct config *config, bool keeps, struct tree *tree);
bool is_stale(const struct config *config, const struct tree *tree);

/* What a process tells before its program runs; then the end of the socket tells that it does. */
enum stage { stage_ready = 1, stage_setup = 2, stage_folder = 3, stage_program = 4 };

struct report {
  uint32_t stage;
  int32_t error;
  char step[56];
};

/* Descriptors that come with a job, in this order; the first is absent without standard input. */
enum { job_descriptors_max = 4 };

/*
 * Process 1 of a sandbox, from the moment that it is made. It never returns. What goes wrong is told on `socket`; else its exit code
 * is the command's, or 128 + n where that was ended by signal n.
 */
_Noreturn void confine(const struct config *config, const struct plan *plan, int tree, int socket);

/* A mount of its own of what is at `path`, to be put elsewhere; -1 with errno. */
int copy_mount(const char *path, uint64_t attributes);
bool put_mount(int mount, const char *path);

/* Where the kernel reads the command line of a process from. */
void keep_title(int argc, char **argv);
void set_title(const char *marker);

int serve(int argc, char **argv);
