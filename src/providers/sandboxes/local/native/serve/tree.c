#define _GNU_SOURCE
#include "serve.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Covered in the namespace that is being made, and nowhere else. */
static const char *const place = "/tmp";

int copy_mount(const char *path, uint64_t attributes) {
  int mount = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (mount < 0) return -1;
  struct mount_attr attr = {.attr_set = attributes, .propagation = MS_PRIVATE};
  if (mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) == 0) return mount;
  int error = errno;
  close(mount);
  errno = error;
  return -1;
}

bool put_mount(int mount, const char *path) {
  bool is_put = mount >= 0 && move_mount(mount, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) == 0;
  int error = errno;
  if (mount >= 0) close(mount);
  errno = error;
  return is_put;
}

static _Noreturn void fail(const char *step, const char *path) {
  dprintf(STDERR_FILENO, "the tree of sandboxes: %s %s: %s\n", step, path, strerror(errno));
  _exit(1);
}

/* Where an entry is while the tree is made. */
static const char *within(const char *path, char *joined, size_t size) {
  int length = snprintf(joined, size, "%s%s", place, path);
  if (path[0] == '/' && length > 0 && (size_t)length < size && strstr(path, "..") == NULL) return joined;
  errno = EINVAL;
  fail("name", path);
}

static void make_folders(char *path) {
  for (char *slash = strchr(path + strlen(place) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (mkdir(path, 0755) != 0 && errno != EEXIST) fail("mkdir", path);
    *slash = '/';
  }
}

static void make_file(const char *path, const char *content) {
  int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
  size_t length = strlen(content);
  if (file < 0 || write(file, content, length) != (ssize_t)length) fail("write", path);
  close(file);
}

static void make_bind(const char *from, const char *path, uint64_t attributes) {
  struct stat found;
  if (stat(from, &found) != 0) {
    if (errno == ENOENT) return;
    fail("look at", from);
  }
  if (S_ISDIR(found.st_mode)) {
    if (mkdir(path, 0755) != 0 && errno != EEXIST) fail("mkdir", path);
  } else {
    make_file(path, "");
  }
  if (!put_mount(copy_mount(from, attributes), path)) fail("bind", from);
}

static void make_entry(const struct entry *entry) {
  char path[4096];
  within(entry->path, path, sizeof path);
  make_folders(path);
  switch (entry->kind) {
  case entry_folder:
    if (mkdir(path, 0755) != 0 && errno != EEXIST) fail("mkdir", path);
    return;
  case entry_link:
    if (symlink(entry->what, path) != 0) fail("link", path);
    return;
  case entry_bind:
    return make_bind(entry->what, path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  case entry_device:
    return make_bind(entry->what, path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  case entry_file:
    return make_file(path, entry->what);
  default:
    errno = EINVAL;
    fail("entry", path);
  }
}

/* What of /proc tells of the whole machine is covered by an empty file, which nobody may open. */
static void make_mask(void) {
  char path[4096];
  make_file(within("/proc/.mask", path, sizeof path), "");
  if (chmod(path, 0) != 0) fail("chmod", path);
  if (!put_mount(copy_mount(path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC), path))
    fail("bind", path);
}

static void raise_tree(const struct config *config, bool keeps) {
  umask(022);
  if (unshare(CLONE_NEWNS) != 0) fail("unshare", "a mount namespace");
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) fail("take apart", "/");
  if (mount("skep", place, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=4m") != 0) fail("mount", place);
  for (uint32_t i = 0; i < config->entry_count; i++) make_entry(&config->entries[i]);
  if (keeps) make_entry(&(struct entry){.kind = entry_folder, .path = "/kept", .what = ""});
  make_mask();
  if (chdir(place) != 0 || syscall(SYS_pivot_root, ".", ".") != 0) fail("pivot", place);
  if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) fail("leave", "the old root");
  struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
  if (mount_setattr(AT_FDCWD, "/", 0, &attr, sizeof attr) != 0) fail("close", "/");
}

static void see(const struct config *config, struct tree *tree) {
  for (uint32_t i = 0; i < config->entry_count; i++) {
    struct stat found = {0};
    if (config->entries[i].kind == entry_bind && stat(config->entries[i].what, &found) != 0) memset(&found, 0, sizeof found);
    tree->seen[i].device = found.st_dev;
    tree->seen[i].inode = found.st_ino;
  }
}

bool is_stale(const struct config *config, const struct tree *tree) {
  struct tree now;
  see(config, &now);
  return memcmp(now.seen, tree->seen, config->entry_count * sizeof now.seen[0]) != 0;
}

bool make_tree(const struct config *config, bool keeps, struct tree *tree) {
  int done[2];
  if (pipe2(done, O_CLOEXEC) != 0) return false;
  memset(tree, 0, sizeof *tree);
  see(config, tree);
  pid_t maker = fork();
  if (maker == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(done[0]);
    raise_tree(config, keeps);
    if (write(done[1], "", 1) == 1) pause();
    _exit(1);
  }
  close(done[1]);
  char byte;
  bool is_made = maker > 0 && read(done[0], &byte, 1) == 1;
  close(done[0]);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)maker);
  tree->fd = is_made ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (maker > 0) {
    kill(maker, SIGKILL);
    while (waitpid(maker, NULL, 0) < 0 && errno == EINTR) continue;
  }
  return tree->fd >= 0;
}
