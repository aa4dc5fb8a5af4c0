/*
 * What the kernel itself takes for as many sandboxes in one moment as are asked for: no Node, no words between processes, no files, no
 * pipes, no filter. What is left is what no launcher can do without.
 *
 *   floor COUNT FOLDER TEMPLATE PARTS
 *
 * PARTS is a list of `pid`, `names` (mount, ipc, host name and cgroup namespaces), `net`, `mounts` (proc, devpts, three tmpfs), `user`,
 * `groups` (made and joined, with limits), `disk` (a copy of TEMPLATE, a loop device, ext4), with commas between. Each sandbox has all of
 * these and then writes a byte. Prints milliseconds: from the first fork to the last byte, and from the first kill to the last end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { count_max = 1000, path_max = 400, name_max = 64 };

static const char *const hierarchies[] = {"memory", "pids", "cpu", "unified"};
static const char *const limits[][2] = {
    {"memory/%s/memory.limit_in_bytes", "536870912"},
    {"pids/%s/pids.max", "67"},
    {"cpu/%s/cpu.cfs_period_us", "100000"},
    {"cpu/%s/cpu.cfs_quota_us", "200000"},
};

static const char *parts;
static const char *folder;
static const char *template;

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
  _exit(1);
}

static bool has(const char *part) {
  size_t length = strlen(part);
  for (const char *at = parts; (at = strstr(at, part)) != NULL; at += length)
    if ((at == parts || at[-1] == ',') && (at[length] == ',' || at[length] == '\0')) return true;
  return false;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void put(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0 || write(file, text, strlen(text)) < 0) fail(path);
  close(file);
}

static void group_path(char *into, const char *hierarchy, const char *name) {
  snprintf(into, path_max, "/sys/fs/cgroup/%s/%s", hierarchy, name);
}

static void join_groups(const char *name) {
  char path[path_max], file[path_max / 2];
  for (size_t i = 0; i < sizeof hierarchies / sizeof *hierarchies; i++) {
    group_path(path, hierarchies[i], name);
    if (mkdir(path, 0755) != 0) fail(path);
  }
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    snprintf(file, sizeof file, limits[i][0], name);
    snprintf(path, sizeof path, "/sys/fs/cgroup/%s", file);
    put(path, limits[i][1]);
  }
  for (size_t i = 0; i < sizeof hierarchies / sizeof *hierarchies; i++) {
    snprintf(path, sizeof path, "/sys/fs/cgroup/%s/%s/%s", hierarchies[i], name, i == 3 ? "cgroup.procs" : "tasks");
    put(path, "0");
  }
}

static void copy(const char *from, const char *to) {
  static char buffer[1 << 17];
  struct stat found;
  int source = open(from, O_RDONLY | O_CLOEXEC);
  int target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (source < 0 || target < 0 || fstat(source, &found) != 0 || ftruncate(target, found.st_size) != 0) fail(to);
  for (off_t at = 0; at < found.st_size;) {
    off_t data = lseek(source, at, SEEK_DATA);
    if (data < 0) break;
    off_t hole = lseek(source, data, SEEK_HOLE);
    for (at = data; at < hole;) {
      size_t size = (size_t)(hole - at) < sizeof buffer ? (size_t)(hole - at) : sizeof buffer;
      ssize_t got = pread(source, buffer, size, at);
      if (got <= 0 || pwrite(target, buffer, (size_t)got, at) != got) fail(to);
      at += got;
    }
  }
  close(source);
  close(target);
}

static void mount_disk(const char *name) {
  char image[path_max], place[path_max], device[32];
  snprintf(image, sizeof image, "%s/%s.img", folder, name);
  snprintf(place, sizeof place, "%s/%s", folder, name);
  copy(template, image);
  if (mkdir(place, 0755) != 0) fail(place);
  struct loop_config config = {.info.lo_flags = LO_FLAGS_AUTOCLEAR};
  int file = open(image, O_RDWR | O_CLOEXEC);
  int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (file < 0 || control < 0) fail("/dev/loop-control");
  config.fd = (unsigned)file;
  for (;;) {
    snprintf(device, sizeof device, "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
    int loop = open(device, O_RDWR | O_CLOEXEC);
    if (loop < 0) fail(device);
    if (ioctl(loop, LOOP_CONFIGURE, &config) == 0) {
      if (mount(device, place, "ext4", MS_NOSUID | MS_NODEV | MS_NOATIME, "noinit_itable") != 0) fail(place);
      close(loop);
      break;
    }
    if (errno != EBUSY) fail(device);
    close(loop);
  }
  close(control);
  close(file);
}

static void mount_own(void) {
  static const char memory[] = "mode=1777,size=16m";
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) fail("/");
  if (mount("tmpfs", "/dev/shm", "tmpfs", 0, memory) != 0 || mount("tmpfs", "/tmp", "tmpfs", 0, memory) != 0) fail("tmpfs");
  if (mount("tmpfs", "/mnt", "tmpfs", 0, memory) != 0) fail("tmpfs");
  if (mount("devpts", "/dev/pts", "devpts", 0, "newinstance") != 0) fail("devpts");
  if (mount("proc", "/proc", "proc", 0, NULL) != 0) fail("proc");
}

/* Process 1 of its pid namespace; the command is its child, in a user namespace. */
static _Noreturn void sandbox(const char *name, int told) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (has("groups")) join_groups(name);
  if (has("disk")) mount_disk(name);
  int flags = (has("names") ? CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP : 0) | (has("net") ? CLONE_NEWNET : 0);
  if (flags != 0 && unshare(flags) != 0) fail("unshare");
  if (has("mounts")) mount_own();
  if (has("user")) {
    pid_t command = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (command < 0) fail("a user namespace");
    if (command > 0) for (;;) pause();
  }
  if (write(told, "", 1) != 1) fail("told");
  for (;;) pause();
}

static void name_of(char *into, int number) {
  snprintf(into, name_max, "floor-%d-%d", (int)getpid(), number);
}

static void remove_traces(const char *name) {
  char path[path_max];
  if (has("disk")) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    umount2(path, MNT_DETACH);
    rmdir(path);
    snprintf(path, sizeof path, "%s/%s.img", folder, name);
    unlink(path);
  }
  for (size_t i = 0; has("groups") && i < sizeof hierarchies / sizeof *hierarchies; i++) {
    group_path(path, hierarchies[i], name);
    rmdir(path);
  }
}

int main(int argc, char **argv) {
  static pid_t inits[count_max];
  char name[name_max], byte;
  int told[2], count = argc == 5 ? atoi(argv[1]) : 0, heard = 0;
  if (count < 1 || count > count_max || pipe2(told, O_CLOEXEC) != 0) return 2;
  folder = argv[2], template = argv[3], parts = argv[4];
  unsigned long flags = SIGCHLD | (has("pid") ? CLONE_NEWPID : 0);
  double begun = now();
  for (int i = 0; i < count; i++) {
    name_of(name, i);
    inits[i] = (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);
    if (inits[i] < 0) fail("clone");
    if (inits[i] == 0) sandbox(name, told[1]);
  }
  close(told[1]);
  while (heard < count && read(told[0], &byte, 1) == 1) heard++;
  double made = now();
  for (int i = 0; i < count; i++) kill(inits[i], SIGKILL);
  for (int i = 0; i < count; i++) waitpid(inits[i], NULL, 0);
  for (int i = 0; i < count; i++) name_of(name, i), remove_traces(name);
  printf("%.2f %.2f\n", made - begun, now() - made);
  return heard == count ? 0 : 1;
}
