#define _GNU_SOURCE
#include "serve.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What comes in, and what goes out; launcher.ts says what is in each. */
enum frame_kind { in_config = 1, in_describe = 2, in_spare = 3, in_start = 4, in_signal = 5, in_forget = 6, in_pipes = 7 };
enum answer_kind {
  out_ready = 1,
  out_spared = 2,
  out_held = 3,
  out_begun = 4,
  out_refused = 5,
  out_ended = 6,
  out_forgotten = 7,
  out_piped = 8,
};

enum { no_code = 0xffffffffU };
/* Ready, failed, gone. */
enum { words_max = 3 };

/* A process 1 and what is behind it, with a job or waiting for one. */
struct start {
  struct start *next;
  struct sandbox *sandbox;
  pid_t init;
  int socket;
  uint32_t job;
  bool has_job;
  bool is_ready;
  bool is_asked_for;
  bool is_killed;
  bool has_failed;
  struct report failure;
};

struct sandbox {
  struct sandbox *next;
  uint32_t id;
  char *body;
  struct plan plan;
  struct start *spare;
  uint32_t starts;
  bool is_forgotten;
  /* The last plan for it was none: nothing is started by the one before. */
  bool has_no_plan;
};

static struct {
  int in;
  int out;
  int events;
  int children;
  char *config_body;
  struct config config;
  /* Without and with /kept, made when they are first wanted. */
  struct tree trees[2];
  struct sandbox *sandboxes;
  uint32_t sandbox_count;
  struct start *starts;
} here = {.trees = {{.fd = -1}, {.fd = -1}}};

/* Descriptors of the event queue that are no start. */
static char of_input;
static char of_children;

static void tell(enum answer_kind kind, uint32_t id, const void *body, uint32_t length) {
  char frame[128];
  uint32_t head[3] = {8 + length, kind, id};
  if (sizeof head + length > sizeof frame) abort();
  memcpy(frame, head, sizeof head);
  if (length > 0) memcpy(frame + sizeof head, body, length);
  size_t left = sizeof head + length;
  for (const char *at = frame; left > 0;) {
    ssize_t written = write(here.out, at, left);
    if (written < 0 && errno == EINTR) continue;
    // Nobody is there to be served any more.
    if (written <= 0) _exit(0);
    at += written;
    left -= written;
  }
}

static void refuse(uint32_t job, enum stage stage, int error, const char *step) {
  struct report report = {.stage = stage, .error = error};
  snprintf(report.step, sizeof report.step, "%s", step);
  uint32_t code = no_code;
  tell(out_refused, job, &report, sizeof report);
  tell(out_ended, job, &code, sizeof code);
}

static struct sandbox *sandbox_of(uint32_t id) {
  for (struct sandbox *each = here.sandboxes; each != NULL; each = each->next)
    if (each->id == id && !each->is_forgotten) return each;
  return NULL;
}

static bool read_plan(struct words *words, struct plan *plan) {
  memset(plan, 0, sizeof *plan);
  plan->uid = take_number(words);
  plan->keeps = take_number(words) != 0;
  plan->processes_max = take_large(words);
  plan->data_bytes_max = take_large(words);
  plan->tmp_bytes = take_large(words);
  plan->shm_bytes = take_large(words);
  plan->marker = take_text(words);
  plan->slot = take_text(words);
  plan->join_count = take_count(words, joins_max, 5);
  for (uint32_t i = 0; i < plan->join_count; i++) plan->joins[i] = take_text(words);
  plan->group = take_text(words);
  plan->bind_count = take_count(words, binds_max, 10);
  for (uint32_t i = 0; i < plan->bind_count; i++) {
    plan->binds[i].from = take_text(words);
    plan->binds[i].to = take_text(words);
  }
  // Root's own id would be no sandbox.
  return !words->bad && words->at == words->end && plan->uid != 0 && plan->slot[0] == '/';
}

static bool read_config(struct words *words, struct config *config) {
  size_t length;
  memset(config, 0, sizeof *config);
  config->filter = take_bytes(words, &length);
  if (length == 0 || length % 8 != 0 || length / 8 > filter_instructions_max) return false;
  config->filter_instructions = length / 8;
  config->entry_count = take_count(words, entries_max, 14);
  for (uint32_t i = 0; i < config->entry_count; i++) {
    config->entries[i].kind = take_number(words);
    config->entries[i].path = take_text(words);
    config->entries[i].what = take_text(words);
  }
  config->mask_count = take_count(words, masks_max, 5);
  for (uint32_t i = 0; i < config->mask_count; i++) config->masks[i] = take_text(words);
  return !words->bad && words->at == words->end;
}

/* What was replaced on the host since, as the linker's cache by an upgrade, is shown as it is now. */
static int tree_for(const struct plan *plan) {
  struct tree *tree = &here.trees[plan->keeps ? 1 : 0];
  if (tree->fd >= 0 && !is_stale(&here.config, tree)) return tree->fd;
  if (tree->fd >= 0) close(tree->fd);
  make_tree(&here.config, plan->keeps, tree);
  return tree->fd;
}

/* Process 1 of a new pid namespace. Without a group of version 2 it joins its groups itself. */
static pid_t clone_init(const struct plan *plan) {
  struct clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
  int group = plan->group[0] == '\0' ? -1 : open(plan->group, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (group >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = group;
  } else if (plan->group[0] != '\0') {
    return -1;
  }
  pid_t pid = syscall(SYS_clone3, &args, sizeof args);
  int error = errno;
  if (group >= 0 && pid != 0) close(group);
  errno = error;
  return pid;
}

static struct start *begin(struct sandbox *sandbox) {
  int ends[2];
  int tree = tree_for(&sandbox->plan);
  struct start *start = tree < 0 ? NULL : calloc(1, sizeof *start);
  if (start == NULL) return NULL;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    free(start);
    return NULL;
  }
  pid_t pid = clone_init(&sandbox->plan);
  if (pid == 0) {
    close(ends[0]);
    confine(&here.config, &sandbox->plan, tree, ends[1]);
  }
  int error = errno;
  close(ends[1]);
  *start = (struct start){.next = here.starts, .sandbox = sandbox, .init = pid, .socket = ends[0]};
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = start};
  if (pid < 0 || epoll_ctl(here.events, EPOLL_CTL_ADD, ends[0], &event) != 0) {
    if (pid > 0) kill(pid, SIGKILL);
    close(ends[0]);
    free(start);
    errno = error;
    return NULL;
  }
  here.starts = start;
  sandbox->starts += 1;
  return start;
}

static void end_start(struct start *start) {
  start->is_killed = true;
  kill(start->init, SIGKILL);
}

/* The folders that a sandbox shows, put into what waits already. In a process of its own, which alone changes its namespace. */
static bool attach(const struct start *start, const struct plan *plan) {
  int mounts[binds_max];
  char path[64];
  for (uint32_t i = 0; i < plan->bind_count; i++)
    mounts[i] = copy_mount(plan->binds[i].from, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)start->init);
  int namespace = open(path, O_RDONLY | O_CLOEXEC);
  // Its memory is this process's until it ends, which costs less than a copy: it does nothing but these calls.
  pid_t child = vfork();
  if (child == 0) {
    bool is_put = namespace >= 0 && setns(namespace, CLONE_NEWNS) == 0;
    for (uint32_t i = 0; is_put && i < plan->bind_count; i++) is_put = put_mount(mounts[i], plan->binds[i].to);
    _exit(is_put ? 0 : 1);
  }
  for (uint32_t i = 0; i < plan->bind_count; i++)
    if (mounts[i] >= 0) close(mounts[i]);
  if (namespace >= 0) close(namespace);
  int status = 1;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return child > 0 && status == 0;
}

static bool shows_the_same(const struct plan *one, const struct plan *other) {
  if (one->bind_count != other->bind_count) return false;
  for (uint32_t i = 0; i < one->bind_count; i++)
    if (strcmp(one->binds[i].from, other->binds[i].from) != 0 || strcmp(one->binds[i].to, other->binds[i].to) != 0) return false;
  return true;
}

/* Whether what waits in a sandbox can be what this plan says. What shows folders that it is not to show can't: they stay. */
static bool adapt(struct start *spare, const struct plan *from, const struct plan *to) {
  if (!spare->is_ready || from->keeps != to->keeps || from->uid != to->uid) return false;
  return shows_the_same(from, to) || (from->bind_count == 0 && attach(spare, to));
}

static void forget_body(char *body) {
  free(body);
}

static void refuse_all(struct sandbox *sandbox) {
  if (sandbox->spare != NULL) end_start(sandbox->spare);
  sandbox->spare = NULL;
  sandbox->has_no_plan = true;
}

/* Returns whether it keeps the body. */
static bool describe(uint32_t id, char *body, struct words *words) {
  struct plan plan;
  struct sandbox *sandbox = sandbox_of(id);
  if (!read_plan(words, &plan)) {
    if (sandbox != NULL) refuse_all(sandbox);
    return false;
  }
  if (sandbox == NULL) {
    sandbox = here.sandbox_count < sandboxes_max ? calloc(1, sizeof *sandbox) : NULL;
    if (sandbox == NULL) return false;
    *sandbox = (struct sandbox){.next = here.sandboxes, .id = id};
    here.sandboxes = sandbox;
    here.sandbox_count += 1;
  }
  struct start *spare = sandbox->spare;
  if (spare != NULL && !adapt(spare, &sandbox->plan, &plan)) {
    end_start(spare);
    sandbox->spare = NULL;
  }
  forget_body(sandbox->body);
  sandbox->body = body;
  sandbox->plan = plan;
  sandbox->has_no_plan = false;
  return true;
}

static void spare(uint32_t id) {
  struct sandbox *sandbox = sandbox_of(id);
  if (sandbox != NULL && sandbox->spare == NULL && !sandbox->has_no_plan) sandbox->spare = begin(sandbox);
  uint32_t is_there = 0;
  if (sandbox == NULL || sandbox->spare == NULL) tell(out_spared, id, &is_there, sizeof is_there);
  else if (sandbox->spare->is_ready) tell(out_spared, id, (is_there = 1, &is_there), sizeof is_there);
  else sandbox->spare->is_asked_for = true;
}

static bool hand_over(struct start *start, const int *fds, size_t count) {
  union {
    char bytes[CMSG_SPACE(job_descriptors_max * sizeof(int))];
    struct cmsghdr align;
  } control = {0};
  struct iovec data = {.iov_base = "j", .iov_len = 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes};
  message.msg_controllen = CMSG_SPACE(count * sizeof(int));
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(count * sizeof(int))};
  memcpy(CMSG_DATA(header), fds, count * sizeof(int));
  return sendmsg(start->socket, &message, MSG_NOSIGNAL) == 1;
}

/* Whoever reads is there already: without one it fails, and does not wait. */
static int open_pipe(const char *path) {
  int pipe = open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (pipe >= 0) fcntl(pipe, F_SETFL, 0);
  return pipe;
}

static int memory_of(const struct words *words) {
  int memory = memfd_create("job", MFD_CLOEXEC);
  size_t length = words->end - words->at;
  if (memory >= 0 && write(memory, words->at, length) == (ssize_t)length) return memory;
  if (memory >= 0) close(memory);
  return -1;
}

static struct start *start_for(struct sandbox *sandbox) {
  struct start *spare = sandbox->spare;
  sandbox->spare = NULL;
  return spare == NULL ? begin(sandbox) : spare;
}

/* The rest of the words is for the process itself. One that waited and was killed meanwhile, as for want of memory, is replaced. */
static void give_job(uint32_t job, struct sandbox *sandbox, const int *fds, size_t count) {
  for (int tries = 0; tries < 2; tries++) {
    struct start *start = start_for(sandbox);
    if (start == NULL) break;
    if (hand_over(start, fds, count)) {
      start->has_job = true;
      start->job = job;
      uint32_t pid = start->init;
      tell(out_held, job, &pid, sizeof pid);
      return;
    }
    end_start(start);
  }
  refuse(job, stage_setup, errno, "a process could not be made");
}

static void start_job(uint32_t job, struct words *words) {
  struct sandbox *sandbox = sandbox_of(take_number(words));
  const char *input = take_text(words);
  const char *output = take_text(words);
  const char *errors = take_text(words);
  if (words->bad || sandbox == NULL || sandbox->has_no_plan) return refuse(job, stage_setup, EINVAL, "the words of a job");
  int fds[job_descriptors_max];
  size_t count = 0;
  if (input[0] != '\0') {
    fds[count++] = open(input, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    unlink(input);
  }
  fds[count++] = open_pipe(output);
  fds[count++] = open_pipe(errors);
  fds[count++] = memory_of(words);
  bool is_open = true;
  for (size_t i = 0; i < count; i++) is_open = is_open && fds[i] >= 0;
  if (is_open) give_job(job, sandbox, fds, count);
  else refuse(job, stage_setup, errno, "the streams of a job");
  for (size_t i = 0; i < count; i++)
    if (fds[i] >= 0) close(fds[i]);
}

static void signal_job(uint32_t job, int number) {
  for (struct start *each = here.starts; each != NULL; each = each->next) {
    if (!each->has_job || each->job != job) continue;
    if (number == SIGKILL) end_start(each);
    else if (number == SIGTERM) kill(each->init, SIGTERM);
  }
}

static void drop_sandbox(struct sandbox *sandbox) {
  for (struct sandbox **at = &here.sandboxes; *at != NULL; at = &(*at)->next) {
    if (*at != sandbox) continue;
    *at = sandbox->next;
    break;
  }
  tell(out_forgotten, sandbox->id, NULL, 0);
  here.sandbox_count -= 1;
  forget_body(sandbox->body);
  free(sandbox);
}

static void forget(uint32_t id) {
  struct sandbox *sandbox = sandbox_of(id);
  if (sandbox == NULL) return tell(out_forgotten, id, NULL, 0);
  sandbox->is_forgotten = true;
  sandbox->spare = NULL;
  for (struct start *each = here.starts; each != NULL; each = each->next)
    if (each->sandbox == sandbox) end_start(each);
  if (sandbox->starts == 0) drop_sandbox(sandbox);
}

/* New pipes for what a command prints, of the sandbox's user, who may so open them again by name. */
static void make_pipes(uint32_t id, struct words *words) {
  uint32_t uid = take_number(words);
  const char *paths[] = {take_text(words), take_text(words)};
  int32_t error = words->bad ? EINVAL : 0;
  for (int i = 0; i < 2 && error == 0; i++) {
    if (unlink(paths[i]) != 0 && errno != ENOENT) error = errno;
    else if (mkfifo(paths[i], 0600) != 0 || lchown(paths[i], uid, uid) != 0) error = errno;
  }
  tell(out_piped, id, &error, sizeof error);
}

/* What a process says before its program runs. With its last word its end of the socket closes. */
static void hear(struct start *start) {
  struct report report;
  ssize_t got = recv(start->socket, &report, sizeof report, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got == sizeof report && report.stage == stage_ready) {
    uint32_t is_there = 1;
    start->is_ready = true;
    if (start->is_asked_for) tell(out_spared, start->sandbox->id, &is_there, sizeof is_there);
    start->is_asked_for = false;
    return;
  }
  if (got == sizeof report) {
    report.step[sizeof report.step - 1] = '\0';
    start->has_failed = true;
    start->failure = report;
    return;
  }
  if (start->has_job && !start->has_failed && !start->is_killed) tell(out_begun, start->job, NULL, 0);
  close(start->socket);
  start->socket = -1;
}

static void finish(struct start *start, int status) {
  struct sandbox *sandbox = start->sandbox;
  uint32_t code = WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) : no_code;
  uint32_t none = 0;
  for (int words = 0; words < words_max && start->socket >= 0; words++) hear(start);
  if (start->socket >= 0) close(start->socket);
  if (start->has_failed) code = no_code;
  if (start->has_job && start->has_failed) tell(out_refused, start->job, &start->failure, sizeof start->failure);
  if (start->has_job) tell(out_ended, start->job, &code, sizeof code);
  if (!start->has_job) tell(out_spared, sandbox->id, &none, sizeof none);
  if (start->has_failed && !start->has_job)
    dprintf(STDERR_FILENO, "a sandbox could not be set up: %s: %s\n", start->failure.step, strerror(start->failure.error));
  if (sandbox->spare == start) sandbox->spare = NULL;
  sandbox->starts -= 1;
  if (sandbox->is_forgotten && sandbox->starts == 0) drop_sandbox(sandbox);
  free(start);
}

static void collect(void) {
  struct signalfd_siginfo ignored;
  while (read(here.children, &ignored, sizeof ignored) > 0) continue;
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    for (struct start **at = &here.starts; *at != NULL; at = &(*at)->next) {
      struct start *start = *at;
      if (start->init != pid) continue;
      *at = start->next;
      finish(start, status);
      break;
    }
  }
}

/* Exactly one frame, so that no other's words are in memory while a process is made of this one. */
static void take_all(char *into, size_t length) {
  for (size_t got = 0; got < length;) {
    ssize_t more = read(here.in, into + got, length - got);
    if (more < 0 && errno == EINTR) continue;
    // The worker is gone: what runs goes with this process.
    if (more <= 0) _exit(0);
    got += more;
  }
}

static bool take_config(char *body, struct words *words) {
  if (here.config_body != NULL || !read_config(words, &here.config)) return false;
  here.config_body = body;
  const struct plan plain = {.keeps = false};
  if (tree_for(&plain) < 0) _exit(1);
  tell(out_ready, 0, NULL, 0);
  return true;
}

static bool serve_frame(enum frame_kind kind, uint32_t id, char *body, struct words *words) {
  if (kind == in_config) return take_config(body, words);
  if (here.config_body == NULL) return false;
  if (kind == in_describe) return describe(id, body, words);
  if (kind == in_spare) spare(id);
  if (kind == in_start) start_job(id, words);
  if (kind == in_signal) signal_job(id, take_number(words));
  if (kind == in_forget) forget(id);
  if (kind == in_pipes) make_pipes(id, words);
  return false;
}

static void take_frame(void) {
  uint32_t head[3];
  take_all((char *)head, sizeof head);
  if (head[0] < 8 || head[0] > frame_bytes_max) {
    dprintf(STDERR_FILENO, "a frame of %u bytes is none\n", head[0]);
    _exit(1);
  }
  size_t length = head[0] - 8;
  char *body = malloc(length + 1);
  if (body == NULL) _exit(1);
  take_all(body, length);
  struct words words = {.at = body, .end = body + length};
  if (serve_frame(head[1], head[2], body, &words)) return;
  explicit_bzero(body, length);
  free(body);
}

static int watch(int fd, void *as) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = as};
  return epoll_ctl(here.events, EPOLL_CTL_ADD, fd, &event);
}

static bool open_here(void) {
  here.in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  here.out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (here.in < 0 || here.out < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0) return false;
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  if (sigprocmask(SIG_BLOCK, &children, NULL) != 0) return false;
  here.children = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  here.events = epoll_create1(EPOLL_CLOEXEC);
  if (here.children < 0 || here.events < 0) return false;
  return watch(here.in, &of_input) == 0 && watch(here.children, &of_children) == 0;
}

/* argv: serve, the id of the worker, and room for the names of sandboxes. */
int serve(int argc, char **argv) {
  keep_title(argc, argv);
  if (argc < 3 || geteuid() != 0) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != (pid_t)atol(argv[2])) return 1;
  prctl(PR_SET_DUMPABLE, 0);
  // A terminal's signals are the worker's to answer.
  setsid();
  signal(SIGPIPE, SIG_IGN);
  if (close_range(3, ~0U, 0) != 0 || chdir("/") != 0 || !open_here()) {
    perror("skep-sandbox");
    return 1;
  }
  for (;;) {
    // One at a time: what it leads to may end another.
    struct epoll_event event;
    if (epoll_wait(here.events, &event, 1, -1) != 1) continue;
    if (event.data.ptr == &of_input) take_frame();
    else if (event.data.ptr == &of_children) collect();
    else hear(event.data.ptr);
  }
}
