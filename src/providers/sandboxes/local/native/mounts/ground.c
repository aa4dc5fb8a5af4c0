/*
 * What lies around a sandbox on the host, laid and cleared by a process beside the worker, which would wait for the disk at each step.
 *
 *   ground PARENT FOLDER UID PART...   makes the folder and lays it there
 *   clear PARENT FOLDER [group PATH]...   removes the folder with all that is mounted in it, and groups in which nothing is any more
 *
 * A PART is `group PATH` (a group is made), `set FILE VALUE` (a limit of one), `disk TEMPLATE` (slot/disk, an empty file system), `own NAME`
 * (a folder of UID on it, to which slot/NAME leads), `shown NAME` (the same of the host's), `pipe NAME` (a named pipe of UID), `mark NAME` (an empty file).
 */
#define _GNU_SOURCE
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { GROUP_TRIES_MAX = 20, DESCRIPTORS_MAX = 16 };

static void make_group(const char *path);
static void write_setting(const char *path, const char *value);
static void make_own(const char *folder, const char *name, uid_t uid);
static void make_pipe(const char *folder, const char *name, uid_t uid);
static void make_mark(const char *folder, const char *name);
static int is_gone(const char *path, const struct stat *found, int kind, struct FTW *at);
static void remove_group(const char *path);

int ground_main(int argc, char **argv) {
  char slot[PATH_MAX];
  if (argc < 4) {
    fprintf(stderr, "skep-sandbox ground PARENT FOLDER UID PART...\n");
    return 1;
  }
  mount_tie(argv[1]);
  const char *folder = argv[2];
  uid_t uid = mount_user_id(argv[3]);
  mount_folder(folder, 0700);
  mount_path(slot, sizeof slot, folder, "slot");
  mount_folder(slot, 0755);
  for (int i = 4; i < argc;) {
    const char *part = argv[i++];
    const char *first = i < argc ? argv[i++] : "";
    if (strcmp(part, "group") == 0) make_group(first);
    else if (strcmp(part, "set") == 0 && i < argc) write_setting(first, argv[i++]);
    else if (strcmp(part, "disk") == 0) disk_make(first, folder);
    else if (strcmp(part, "own") == 0) make_own(folder, first, uid);
    else if (strcmp(part, "pipe") == 0) make_pipe(folder, first, uid);
    else if (strcmp(part, "mark") == 0) make_mark(folder, first);
    else if (strcmp(part, "shown") == 0) make_own(folder, first, 0);
    else {
      errno = EINVAL;
      mount_fail("no part of a ground:", part);
    }
  }
  return 0;
}

/* It may be there already, with other limits. */
static void make_group(const char *path) {
  if (mkdir(path, 0755) != 0 && errno != EEXIST) mount_fail("mkdir", path);
}

static void write_setting(const char *path, const char *value) {
  int file = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  size_t length = strlen(value);
  if (file < 0 || write(file, value, length) != (ssize_t)length) mount_fail("write", path);
  close(file);
}

/* The link has the owner too: whose it is can be seen also while the disk is not mounted. */
static void make_own(const char *folder, const char *name, uid_t uid) {
  char path[PATH_MAX], link[PATH_MAX], below[NAME_MAX], target[NAME_MAX + 8];
  snprintf(below, sizeof below, "slot/%s", name);
  snprintf(target, sizeof target, "disk/%s", name);
  mount_path(link, sizeof link, folder, "slot");
  mount_path(path, sizeof path, link, target);
  mount_folder(path, 0755);
  if (lchown(path, uid, uid) != 0) mount_fail("chown", path);
  mount_path(link, sizeof link, folder, below);
  if (symlink(target, link) != 0 || lchown(link, uid, uid) != 0) mount_fail("link", link);
}

static void make_pipe(const char *folder, const char *name, uid_t uid) {
  char path[PATH_MAX];
  mount_path(path, sizeof path, folder, name);
  if (mkfifo(path, 0600) != 0 || lchown(path, uid, uid) != 0) mount_fail("pipe", path);
}

static void make_mark(const char *folder, const char *name) {
  char path[PATH_MAX];
  mount_path(path, sizeof path, folder, name);
  int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) mount_fail("create", path);
  close(file);
}

int clear_main(int argc, char **argv) {
  if (argc < 3 || argc % 2 != 1) {
    fprintf(stderr, "skep-sandbox clear PARENT FOLDER [group PATH]...\n");
    return 1;
  }
  mount_tie(argv[1]);
  disk_end(argv[2]);
  /* By no link and into no other file system; without its disk all in it was written by the host. */
  if (nftw(argv[2], is_gone, DESCRIPTORS_MAX, FTW_PHYS | FTW_DEPTH | FTW_MOUNT) != 0 && errno != ENOENT) mount_fail("remove", argv[2]);
  for (int i = 4; i < argc; i += 2) remove_group(argv[i]);
  return 0;
}

static int is_gone(const char *path, const struct stat *found, int kind, struct FTW *at) {
  (void)found;
  (void)at;
  return (kind == FTW_DP ? rmdir(path) : unlink(path)) == 0 || errno == ENOENT ? 0 : -1;
}

/* What was killed in it may need a moment to be gone. Where it needs longer the worker waits, which holds up nobody else. */
static void remove_group(const char *path) {
  struct timespec pause = {.tv_nsec = 500000};
  for (int tries = 0; tries < GROUP_TRIES_MAX && rmdir(path) != 0 && errno == EBUSY; tries++) nanosleep(&pause, NULL);
}
