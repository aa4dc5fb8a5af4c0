/*
 * The file system of one workspace: a sparse file in the folder of its sandbox, mounted by a loop device at slot/disk.
 *
 *   disk make PARENT TEMPLATE FOLDER   a copy of the template, mounted
 *   disk mount PARENT FOLDER           the one that is there
 *   disk seal PARENT FOLDER            the one that is there, for reading alone, for good
 *   disk end PARENT FOLDER             what is mounted in the folder is no more, and what was written is lost
 */
#define _GNU_SOURCE
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef EXT4_SUPER_MAGIC
#define EXT4_SUPER_MAGIC 0xEF53
#endif
/* From the kernel's fs/ext4/ext4.h, as xfs and f2fs have it too. */
#define SHUTDOWN _IOR('X', 125, __u32)
#define SHUTDOWN_WITHOUT_LOG 2

static void places(const char *folder, char *image, char *place);
static void copy(const char *from, const char *to);
static void copy_data(int source, int target, off_t from, off_t to);
static int is_disk(int slot, int place);
static void unmount(const char *place);

int disk_main(int argc, char **argv) {
  char image[PATH_MAX], place[PATH_MAX];
  const char *verb = argc > 1 ? argv[1] : "";
  int is_make = strcmp(verb, "make") == 0 && argc == 5;
  int is_seal = strcmp(verb, "seal") == 0 && argc == 4;
  int is_end = strcmp(verb, "end") == 0 && argc == 4;
  if (!is_make && !is_seal && !is_end && !(strcmp(verb, "mount") == 0 && argc == 4)) {
    fprintf(stderr, "skep-sandbox disk make PARENT TEMPLATE FOLDER | mount PARENT FOLDER | seal PARENT FOLDER | end PARENT FOLDER\n");
    return 1;
  }
  const char *folder = argv[argc - 1];
  mount_tie(argv[2]);
  if (is_end) {
    disk_end(folder);
    return 0;
  }
  if (is_make) {
    disk_make(argv[3], folder);
    return 0;
  }
  places(folder, image, place);
  if (is_seal) {
    /* What the journal still has to say is written before nothing can be. */
    mount_image(image, place, 0);
    unmount(place);
  }
  mount_image(image, place, is_seal);
  return 0;
}

/* Of the image, and of where it is mounted, which is made. */
static void places(const char *folder, char *image, char *place) {
  char slot[PATH_MAX];
  mount_path(image, PATH_MAX, folder, "disk.img");
  mount_path(slot, sizeof slot, folder, "slot");
  mount_path(place, PATH_MAX, slot, "disk");
  mount_folder(slot, 0755);
  mount_folder(place, 0755);
}

void disk_make(const char *template, const char *folder) {
  char image[PATH_MAX], place[PATH_MAX];
  places(folder, image, place);
  copy(template, image);
  mount_image(image, place, 0);
}

/* Holes stay holes. */
static void copy(const char *from, const char *to) {
  struct stat found;
  int source = open(from, O_RDONLY | O_CLOEXEC);
  if (source < 0 || fstat(source, &found) != 0) mount_fail("open", from);
  int target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (target < 0) mount_fail("open", to);
  if (ioctl(target, FICLONE, source) != 0) {
    if (ftruncate(target, found.st_size) != 0) mount_fail("truncate", to);
    for (off_t at = 0; at < found.st_size;) {
      off_t data = lseek(source, at, SEEK_DATA);
      if (data < 0 && errno == ENXIO) break;
      off_t hole = data < 0 ? -1 : lseek(source, data, SEEK_HOLE);
      if (hole < 0) mount_fail("seek", from);
      copy_data(source, target, data, hole);
      at = hole;
    }
  }
  if (close(target) != 0) mount_fail("close", to);
  close(source);
}

static void copy_data(int source, int target, off_t from, off_t to) {
  static char buffer[1 << 17];
  for (off_t at = from; at < to;) {
    size_t size = (size_t)(to - at) < sizeof buffer ? (size_t)(to - at) : sizeof buffer;
    ssize_t got = pread(source, buffer, size, at);
    if (got <= 0) mount_fail("read", "a template");
    for (ssize_t done = 0; done < got;) {
      ssize_t put = pwrite(target, buffer + done, (size_t)(got - done), at + done);
      if (put < 0) mount_fail("write", "a disk");
      done += put;
    }
    at += got;
  }
}

/*
 * Who removes a workspace does not wait until all that was written to it has reached the disk: the file system is shut down first. One
 * that is for reading alone is not: others may use it.
 */
void disk_end(const char *folder) {
  char slot[PATH_MAX], merged[PATH_MAX], place[PATH_MAX];
  mount_path(slot, sizeof slot, folder, "slot");
  mount_path(merged, sizeof merged, slot, "merged");
  mount_path(place, sizeof place, slot, "disk");
  int above = open(slot, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  /* It may have come to nothing before it had one. */
  if (above < 0 && errno == ENOENT) return;
  if (above < 0) mount_fail("open", slot);
  int disk = openat(above, "disk", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (disk >= 0 && is_disk(above, disk)) {
    __u32 how = SHUTDOWN_WITHOUT_LOG;
    struct statvfs about;
    if (fstatvfs(disk, &about) == 0 && (about.f_flag & ST_RDONLY) == 0) ioctl(disk, SHUTDOWN, &how);
  }
  if (disk >= 0) close(disk);
  unmount(merged);
  unmount(place);
}

/* Nothing that the host itself lies on. */
static int is_disk(int slot, int place) {
  struct stat above, found;
  struct statfs about;
  if (fstat(slot, &above) != 0 || fstat(place, &found) != 0 || fstatfs(place, &about) != 0) return 0;
  return above.st_dev != found.st_dev && found.st_ino == 2 && about.f_type == EXT4_SUPER_MAGIC;
}

/* What still uses it keeps it until then. What is no place of a mount is left as it is. */
static void unmount(const char *place) {
  if (umount2(place, UMOUNT_NOFOLLOW) == 0) return;
  if (errno == EBUSY && umount2(place, UMOUNT_NOFOLLOW | MNT_DETACH) == 0) return;
  if (errno != EINVAL && errno != ENOENT) mount_fail("umount", place);
}
