#define _GNU_SOURCE
#include "serve.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The user inside, and its group. */
enum { inside_id = 1000 };

static int told = -1;
static volatile pid_t command = -1;

static _Noreturn void fail_at(enum stage stage, const char *step) {
  struct report report = {.stage = stage, .error = errno};
  snprintf(report.step, sizeof report.step, "%s", step);
  send(told, &report, sizeof report, MSG_NOSIGNAL | MSG_DONTWAIT);
  _exit(1);
}

static _Noreturn void fail(const char *step) {
  fail_at(stage_setup, step);
}

static void put_text(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  size_t length = strlen(text);
  if (file < 0 || write(file, text, length) != (ssize_t)length) fail(path);
  close(file);
}

/* The launcher's own are the way to it, and to others. */
static void close_all_but(int one, int other) {
  int low = one < other ? one : other;
  int high = one < other ? other : one;
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0) fail("standard streams");
  if (low > 3 && close_range(3, low - 1, 0) != 0) fail("close_range");
  if (high > low + 1 && close_range(low + 1, high - 1, 0) != 0) fail("close_range");
  if (close_range(high + 1, ~0U, 0) != 0) fail("close_range");
}

static void mount_memory(const struct plan *plan, const char *path, uint64_t bytes) {
  char options[128];
  snprintf(options, sizeof options, "mode=1777,size=%llu,uid=%u,gid=%u", (unsigned long long)bytes, plan->uid, plan->uid);
  if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) != 0) fail(path);
}

static void mask(const struct config *config, int empty) {
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", empty);
  for (uint32_t i = 0; i < config->mask_count; i++)
    if (mount(link, config->masks[i], NULL, MS_BIND, NULL) != 0 && errno != ENOENT) fail(config->masks[i]);
  close(empty);
}

/* What is this sandbox's alone, taken while the host's tree is still before us. */
struct own {
  int work;
  int kept;
  int skep;
  int binds[binds_max];
};

static const uint64_t writable = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
static const uint64_t shown = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

static int from_slot(const struct plan *plan, const char *name, uint64_t attributes) {
  char path[4096];
  int length = snprintf(path, sizeof path, "%s/%s", plan->slot, name);
  if (length < 0 || (size_t)length >= sizeof path) errno = ENAMETOOLONG;
  else {
    int mount = copy_mount(path, attributes);
    if (mount >= 0) return mount;
  }
  fail(name);
}

static struct own take_own(const struct plan *plan) {
  struct own own = {.kept = -1};
  own.work = from_slot(plan, "work", writable);
  own.skep = from_slot(plan, "skep", shown);
  if (plan->keeps) own.kept = from_slot(plan, "kept", writable);
  for (uint32_t i = 0; i < plan->bind_count; i++)
    if ((own.binds[i] = copy_mount(plan->binds[i].from, shown)) < 0) fail("a folder to be shown");
  return own;
}

static void put_own(const struct plan *plan, const struct own *own) {
  if (!put_mount(own->work, "/work")) fail("/work");
  if (!put_mount(own->skep, "/skep")) fail("/skep");
  if (plan->keeps && !put_mount(own->kept, "/kept")) fail("/kept");
  for (uint32_t i = 0; i < plan->bind_count; i++)
    if (!put_mount(own->binds[i], plan->binds[i].to)) fail(plan->binds[i].to);
}

static void build_mounts(const struct config *config, const struct plan *plan, int tree) {
  struct own own = take_own(plan);
  // Entering it changes the root: nothing of the host's tree has a name any more.
  if (setns(tree, CLONE_NEWNS) != 0) fail("setns");
  close(tree);
  if (unshare(CLONE_NEWNS) != 0) fail("unshare mounts");
  int empty = open("/proc/.mask", O_PATH | O_CLOEXEC);
  if (empty < 0) fail("/proc/.mask");
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) fail("/proc");
  mask(config, empty);
  if (mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620") != 0) fail("/dev/pts");
  mount_memory(plan, "/dev/shm", plan->shm_bytes);
  mount_memory(plan, "/tmp", plan->tmp_bytes);
  mount_memory(plan, "/home/agent", plan->tmp_bytes);
  put_own(plan, &own);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0) fail("/dev/null");
  close(null);
}

static void raise_loopback(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int socket_of_ours = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_of_ours < 0 || ioctl(socket_of_ours, SIOCSIFFLAGS, &request) != 0) fail("the loopback interface");
  close(socket_of_ours);
}

static void drop_capabilities(void) {
  for (unsigned long each = 0; prctl(PR_CAPBSET_DROP, each, 0, 0, 0) == 0; each++) continue;
  if (errno != EINVAL) fail("PR_CAPBSET_DROP");
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) fail("PR_CAP_AMBIENT");
}

/* After this nothing can be gained again: no capability is left in any set, nor by a program that gives one. */
static void lock_in(const struct config *config) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2] = {0};
  if (syscall(SYS_capset, &header, none) != 0) fail("capset");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("PR_SET_NO_NEW_PRIVS");
  struct sock_fprog program = {.len = config->filter_instructions, .filter = (struct sock_filter *)config->filter};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) fail("seccomp");
}

static void become(uid_t id) {
  if (setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0) fail("become the sandbox's user");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) fail("PR_SET_DUMPABLE");
}

static void limit(int resource, uint64_t value) {
  if (value == 0) return;
  struct rlimit both = {.rlim_cur = value, .rlim_max = value};
  if (setrlimit(resource, &both) != 0) fail("setrlimit");
}

/* The words of a job lie in memory that came with it. Texts: the folder, the arguments, the environment. */
static void run_job(const char *memory, size_t length) {
  struct words words = {.at = memory, .end = memory + length};
  const char *folder = take_text(&words);
  uint32_t argument_count = take_count(&words, UINT32_MAX, 5);
  char **arguments = calloc(argument_count + 1UL, sizeof *arguments);
  for (uint32_t i = 0; i < argument_count && arguments != NULL; i++) arguments[i] = (char *)take_text(&words);
  uint32_t variable_count = take_count(&words, UINT32_MAX, 5);
  char **variables = calloc(variable_count + 1UL, sizeof *variables);
  for (uint32_t i = 0; i < variable_count && variables != NULL; i++) variables[i] = (char *)take_text(&words);
  if (arguments == NULL || variables == NULL) fail("memory");
  errno = EBADMSG;
  if (words.bad || argument_count == 0) fail("the words of a job");
  if (chdir(folder) != 0) fail_at(stage_folder, "chdir");
  environ = variables;
  execvp(arguments[0], arguments);
  fail_at(stage_program, "exec");
}

/* Waits for the job; then these are the standard streams of its program, and nothing else stays open. */
static _Noreturn void wait_for_job(void) {
  struct report ready = {.stage = stage_ready};
  if (send(told, &ready, sizeof ready, MSG_NOSIGNAL) < 0) _exit(1);
  char byte;
  struct iovec data = {.iov_base = &byte, .iov_len = 1};
  union {
    char bytes[CMSG_SPACE(job_descriptors_max * sizeof(int))];
    struct cmsghdr align;
  } control;
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  ssize_t got;
  while ((got = recvmsg(told, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) continue;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (got != 1 || header == NULL || header->cmsg_type != SCM_RIGHTS) _exit(1);
  int fds[job_descriptors_max];
  size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  if (count < 3 || count > job_descriptors_max) _exit(1);
  memcpy(fds, CMSG_DATA(header), count * sizeof(int));
  const int *streams = count == job_descriptors_max ? fds + 1 : fds;
  if (count == job_descriptors_max && dup2(fds[0], 0) < 0) fail("stdin");
  if (dup2(streams[0], 1) < 0 || dup2(streams[1], 2) < 0) fail("the output");
  struct stat found;
  if (fstat(streams[2], &found) != 0) fail("the words of a job");
  char *memory = mmap(NULL, found.st_size, PROT_READ, MAP_PRIVATE, streams[2], 0);
  if (memory == MAP_FAILED) fail("the words of a job");
  run_job(memory, found.st_size);
  _exit(1);
}

/* Process 2: in a user namespace of its own, of which it is no more than a user. */
static _Noreturn void command_process(const struct config *config, const struct plan *plan, int go) {
  char byte;
  if (read(go, &byte, 1) != 1) _exit(1);
  close(go);
  become(inside_id);
  put_text("/proc/sys/user/max_user_namespaces", "0");
  if (setsid() < 0) fail("setsid");
  limit(RLIMIT_NPROC, plan->processes_max);
  limit(RLIMIT_DATA, plan->data_bytes_max);
  drop_capabilities();
  lock_in(config);
  wait_for_job();
}

static void map_ids(const struct plan *plan, pid_t of) {
  char path[64];
  char map[64];
  snprintf(map, sizeof map, "%d %u 1\n", inside_id, plan->uid);
  const char *const files[] = {"setgroups", "uid_map", "gid_map"};
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "/proc/%d/%s", (int)of, files[i]);
    put_text(path, i == 0 ? "deny" : map);
  }
}

/* Who asks from within is not meant: process 1 is asked by the launcher alone, whose id cannot be seen from here. */
static void pass_on(int number, siginfo_t *info, void *context) {
  (void)context;
  if (info->si_pid == 0 && command > 0) kill(command, number);
}

static void listen_for_asking(void) {
  struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART};
  if (sigaction(SIGTERM, &action, NULL) != 0) fail("sigaction");
}

static void begin_clean(void) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  umask(022);
  struct rlimit no_core = {0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0) fail("RLIMIT_CORE");
}

/* Armed again after each change of the user, which disarms it; who has died meanwhile has closed the other end. */
static void die_with_launcher(void) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) fail("PR_SET_PDEATHSIG");
  char byte;
  if (told >= 0 && recv(told, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) _exit(1);
}

/* The group first: all that is made from here on is counted. */
static void join_groups(const struct plan *plan) {
  for (uint32_t i = 0; i < plan->join_count; i++) put_text(plan->joins[i], "0");
  if (unshare(CLONE_NEWCGROUP | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) != 0) fail("unshare");
}

static pid_t start_command(const struct config *config, const struct plan *plan) {
  int go[2];
  if (pipe2(go, O_CLOEXEC) != 0) fail("pipe");
  struct clone_args with_users = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  pid_t pid = syscall(SYS_clone3, &with_users, sizeof with_users);
  if (pid < 0) fail("a user namespace");
  if (pid == 0) {
    signal(SIGTERM, SIG_DFL);
    close(go[1]);
    command_process(config, plan, go[0]);
  }
  command = pid;
  map_ids(plan, pid);
  drop_capabilities();
  become(plan->uid);
  die_with_launcher();
  lock_in(config);
  // Its end of the socket closes when its program begins, and then nobody may hold another.
  close(told);
  told = -1;
  if (write(go[1], "", 1) != 1) _exit(1);
  close(go[0]);
  close(go[1]);
  return pid;
}

static _Noreturn void collect(void) {
  for (;;) {
    int status;
    pid_t pid = waitpid(-1, &status, 0);
    if (pid < 0 && errno != EINTR) _exit(1);
    if (pid == command) _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
  }
}

_Noreturn void confine(const struct config *config, const struct plan *plan, int tree, int socket) {
  told = socket;
  begin_clean();
  prctl(PR_SET_NAME, "skep-sandbox");
  set_title(plan->marker);
  close_all_but(tree, socket);
  die_with_launcher();
  join_groups(plan);
  build_mounts(config, plan, tree);
  raise_loopback();
  if (sethostname("skep", 4) != 0) fail("sethostname");
  if (setgroups(0, NULL) != 0) fail("setgroups");
  listen_for_asking();
  start_command(config, plan);
  collect();
}
