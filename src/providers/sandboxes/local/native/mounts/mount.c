#define _GNU_SOURCE
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef LOOP_CONFIGURE
#define LOOP_CONFIGURE 0x4C0A
struct loop_config {
  __u32 fd;
  __u32 block_size;
  struct loop_info64 info;
  __u64 __reserved[8];
};
#endif

/* Between the look for a free device and its taking another process may take it. */
static const int tries_max = 100;

void mount_fail(const char *what, const char *path) {
  int error = errno;
  fprintf(stderr, "skep-sandbox: %s %s: %s\n", what, path, strerror(error));
  exit(1);
}

pid_t mount_parent = 0;

void mount_tie(const char *parent) {
  char *end = NULL;
  long pid = strtol(parent, &end, 10);
  if (strcmp(parent, "-") == 0) {
    pid = mount_parent;
    end += 1;
  }
  if (end == parent || *end != '\0' || pid <= 0) {
    errno = EINVAL;
    mount_fail("no process id:", parent);
  }
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) mount_fail("can't be tied to", parent);
  /* It may have died before that. */
  if (getppid() != (pid_t)pid) exit(1);
}

uid_t mount_user_id(const char *text) {
  char *end = NULL;
  errno = 0;
  unsigned long value = strtoul(text, &end, 10);
  if (errno == 0 && end != text && *end == '\0' && value < UINT32_MAX) return (uid_t)value;
  errno = EINVAL;
  mount_fail("no user id:", text);
}

void mount_path(char *into, size_t size, const char *first, const char *second) {
  int length = snprintf(into, size, "%s/%s", first, second);
  if (length >= 0 && (size_t)length < size) return;
  errno = ENAMETOOLONG;
  mount_fail("no path:", first);
}

void mount_folder(const char *path, mode_t mode) {
  struct stat found;
  if (mkdir(path, mode) == 0) {
    /* The umask must not decide. */
    if (chmod(path, mode) != 0) mount_fail("chmod", path);
    return;
  }
  if (errno != EEXIST) mount_fail("mkdir", path);
  if (lstat(path, &found) == 0 && S_ISDIR(found.st_mode)) return;
  errno = ENOTDIR;
  mount_fail("mkdir", path);
}

int mount_turn = 0;

int mount_loop(const char *image, int is_read_only, char *path, size_t path_size) {
  struct timespec pause = {.tv_sec = 0, .tv_nsec = 1000000};
  int file = open(image, (is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) mount_fail("open", image);
  int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (control < 0) mount_fail("open", "/dev/loop-control");
  struct loop_config config;
  memset(&config, 0, sizeof config);
  config.fd = (__u32)file;
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (is_read_only ? LO_FLAGS_READ_ONLY : 0);
  snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", image);
  for (int tries = 0; tries < tries_max; tries++) {
    int number = ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0) mount_fail("no loop device is free for", image);
    int is_own = tries == 0 && mount_turn > 0;
    /* There may be none of that number yet. */
    if (is_own) ioctl(control, LOOP_CTL_ADD, number += mount_turn);
    snprintf(path, path_size, "/dev/loop%d", number);
    int loop = open(path, (is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (loop < 0 && is_own) continue;
    if (loop < 0) mount_fail("open", path);
    if (ioctl(loop, LOOP_CONFIGURE, &config) == 0) {
      close(control);
      close(file);
      return loop;
    }
    if (errno != EBUSY && errno != EAGAIN) mount_fail("a loop device can't have", image);
    close(loop);
    if (!is_own) nanosleep(&pause, NULL);
  }
  mount_fail("no loop device is free for", image);
}

/*
 * Programs in a workspace get no rights by their files. Tables of inodes that nobody uses are never written, so an image stays as small
 * as what is in it. The journal is on and barriers are: after a loss of power the file system is whole, as of its last seconds.
 */
void mount_image(const char *image, const char *place, int is_read_only) {
  char device[32];
  int loop = mount_loop(image, is_read_only, device, sizeof device);
  unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOATIME | (is_read_only ? MS_RDONLY : 0);
  if (mount(device, place, "ext4", flags, is_read_only ? NULL : "noinit_itable") != 0) mount_fail("mount", image);
  close(loop);
}
