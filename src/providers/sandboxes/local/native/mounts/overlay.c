/*
 * A workspace that begins as others were: their sealed file systems below, its own disk above, shown as one at slot/merged.
 *
 *   overlay PARENT FOLDER UID (PLACE OWNER)...
 *
 * PLACE is a folder in which a sealed disk is mounted, or the file of one; the topmost comes first. What belongs to OWNER there belongs
 * to UID in the workspace, and to nobody what belongs to anyone else. Nothing is ever written below.
 */
#define _GNU_SOURCE
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The same on all machines that Skep runs on; C libraries of the age of the calls do not know them. */
enum { SYS_OPEN_TREE = 428, SYS_MOVE_MOUNT = 429, SYS_FSOPEN = 430, SYS_FSCONFIG = 431, SYS_FSMOUNT = 432, SYS_MOUNT_SETATTR = 442 };
enum { TREE_CLONE = 1, TREE_CLOEXEC = O_CLOEXEC, FROM_EMPTY_PATH = 4, TO_EMPTY_PATH = 0x40, SET_STRING = 1, CREATE = 6 };
enum { ATTR_RDONLY = 1, ATTR_NOSUID = 2, ATTR_NODEV = 4, ATTR_NOATIME = 0x10, ATTR_IDMAP = 0x100000 };

struct attributes {
  uint64_t set, clear, propagation, userns_fd;
};

/* As src/worker/sandbox.ts lets one workspace begin as, each of which may itself have begun as some. */
enum { LAYERS_MAX = 64 };

struct place {
  char slot[PATH_MAX], disk[PATH_MAX], upper[PATH_MAX], under[PATH_MAX], merged[PATH_MAX];
};

static void prepare(struct place *place, const char *folder, uid_t uid);
static int lower(const char *path, int number, uid_t owner, uid_t uid);
static int mapped(uid_t owner, uid_t uid);
static int mounted(const struct place *place, int count);
static void set(int filesystem, const char *key, const char *value);

int overlay_main(int argc, char **argv) {
  static struct place place;
  int count = (argc - 4) / 2;
  if (argc < 6 || argc % 2 != 0 || count > LAYERS_MAX) {
    fprintf(stderr, "skep-sandbox overlay PARENT FOLDER UID (PLACE OWNER)..., with at most %d places\n", LAYERS_MAX);
    return 1;
  }
  mount_tie(argv[1]);
  uid_t uid = mount_user_id(argv[3]);
  prepare(&place, argv[2], uid);
  /* Where it will be seen: named while this process is still where that is. */
  int target = open(place.merged, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int home = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  if (target < 0 || home < 0) mount_fail("open", place.merged);
  if (unshare(CLONE_NEWNS) != 0) mount_fail("a mount namespace for", place.merged);
  if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) mount_fail("mount", "/");
  if (mount("skep", place.merged, "tmpfs", MS_NOSUID | MS_NODEV, "mode=700,size=1m") != 0) mount_fail("mount", place.merged);
  if (chdir(place.merged) != 0) mount_fail("chdir", place.merged);
  for (int i = 0; i < count; i++) close(lower(argv[4 + 2 * i], i, mount_user_id(argv[5 + 2 * i]), uid));
  int merged = mounted(&place, count);
  if (setns(home, CLONE_NEWNS) != 0) mount_fail("setns", place.merged);
  if (syscall(SYS_MOVE_MOUNT, merged, "", target, "", FROM_EMPTY_PATH | TO_EMPTY_PATH) != 0) mount_fail("mount", place.merged);
  return 0;
}

static void prepare(struct place *place, const char *folder, uid_t uid) {
  mount_path(place->slot, PATH_MAX, folder, "slot");
  mount_path(place->disk, PATH_MAX, place->slot, "disk");
  mount_path(place->upper, PATH_MAX, place->disk, "work");
  mount_path(place->under, PATH_MAX, place->disk, "under");
  mount_path(place->merged, PATH_MAX, place->slot, "merged");
  mount_folder(place->upper, 0755);
  if (lchown(place->upper, uid, uid) != 0) mount_fail("chown", place->upper);
  mount_folder(place->under, 0700);
  mount_folder(place->merged, 0755);
}

/* One sealed file system as this sandbox is to see it, at a folder named by its number. */
static int lower(const char *path, int number, uid_t owner, uid_t uid) {
  char name[16], image[24], source[PATH_MAX];
  struct stat found;
  snprintf(name, sizeof name, "%d", number);
  mount_folder(name, 0700);
  if (stat(path, &found) != 0) mount_fail("stat", path);
  if (S_ISREG(found.st_mode)) {
    snprintf(image, sizeof image, "image.%d", number);
    mount_folder(image, 0700);
    mount_image(path, image, 1);
    path = image;
  }
  mount_path(source, sizeof source, path, "work");
  int tree = (int)syscall(SYS_OPEN_TREE, AT_FDCWD, source, TREE_CLONE | TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
  if (tree < 0) mount_fail("open_tree", source);
  struct attributes attributes = {.set = ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV};
  int users = owner == uid ? -1 : mapped(owner, uid);
  if (users >= 0) {
    attributes.set |= ATTR_IDMAP;
    attributes.userns_fd = (uint64_t)users;
  }
  if (syscall(SYS_MOUNT_SETATTR, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) mount_fail("mount_setattr", source);
  if (users >= 0) close(users);
  if (syscall(SYS_MOVE_MOUNT, tree, "", AT_FDCWD, name, FROM_EMPTY_PATH) != 0) mount_fail("move_mount", source);
  return tree;
}

static void write_map(pid_t child, const char *file, uid_t owner, uid_t uid) {
  char path[64], line[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)child, file);
  int length = snprintf(line, sizeof line, "%u %u 1\n", owner, uid);
  int map = open(path, O_WRONLY | O_CLOEXEC);
  if (map < 0 || write(map, line, (size_t)length) != length) mount_fail("write", path);
  close(map);
}

/* A user namespace in which `owner` is `uid`, alone. The kernel takes none but a real one: a child lives in it until it is open here. */
static int mapped(uid_t owner, uid_t uid) {
  int hold[2], ready[2];
  char path[64], byte = 0;
  if (pipe2(hold, O_CLOEXEC) != 0 || pipe2(ready, O_CLOEXEC) != 0) mount_fail("pipe", "");
  pid_t child = fork();
  if (child < 0) mount_fail("fork", "");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(hold[1]);
    close(ready[0]);
    if (unshare(CLONE_NEWUSER) != 0 || write(ready[1], &byte, 1) != 1) _exit(1);
    _exit(read(hold[0], &byte, 1) != 0);
  }
  close(hold[0]);
  close(ready[1]);
  if (read(ready[0], &byte, 1) != 1) {
    errno = EPERM;
    mount_fail("no user namespace could be made", "");
  }
  write_map(child, "uid_map", owner, uid);
  write_map(child, "gid_map", owner, uid);
  snprintf(path, sizeof path, "/proc/%d/ns/user", (int)child);
  int users = open(path, O_RDONLY | O_CLOEXEC);
  if (users < 0) mount_fail("open", path);
  close(hold[1]);
  close(ready[0]);
  waitpid(child, NULL, 0);
  return users;
}

/*
 * What steers an overlay in a file system below is kept in attributes that only the host's root can set, so what an agent has written
 * steers nothing; and where such a file would redirect, it is not followed.
 */
static int mounted(const struct place *place, int count) {
  char text[LAYERS_MAX * 4], fd[32];
  size_t length = 0;
  int upper = open(place->upper, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int under = open(place->under, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (upper < 0 || under < 0) mount_fail("open", place->disk);
  for (int i = 0; i < count; i++) length += (size_t)snprintf(text + length, sizeof text - length, i == 0 ? "%d" : ":%d", i);
  int filesystem = (int)syscall(SYS_FSOPEN, "overlay", 1);
  if (filesystem < 0) mount_fail("fsopen", "overlay");
  set(filesystem, "source", "skep");
  set(filesystem, "lowerdir", text);
  snprintf(fd, sizeof fd, "/proc/self/fd/%d", upper);
  set(filesystem, "upperdir", fd);
  snprintf(fd, sizeof fd, "/proc/self/fd/%d", under);
  set(filesystem, "workdir", fd);
  set(filesystem, "redirect_dir", "nofollow");
  set(filesystem, "metacopy", "off");
  set(filesystem, "index", "off");
  set(filesystem, "xino", "auto");
  if (syscall(SYS_FSCONFIG, filesystem, CREATE, NULL, NULL, 0) != 0) mount_fail("overlay", place->merged);
  int merged = (int)syscall(SYS_FSMOUNT, filesystem, 1, ATTR_NOSUID | ATTR_NODEV | ATTR_NOATIME);
  if (merged < 0) mount_fail("fsmount", place->merged);
  close(filesystem);
  return merged;
}

static void set(int filesystem, const char *key, const char *value) {
  if (syscall(SYS_FSCONFIG, filesystem, SET_STRING, key, value, 0) != 0) mount_fail("overlay", key);
}
