/*
 * Does what `disk`, `overlay`, `ground` and `clear` do, for a worker that would have to start a program for each: a small process makes children in less time.
 *
 *   mounts PARENT
 *
 * Reads requests from its standard input: a number, then the words of a command line, each ended by a NUL, and one more NUL. The word
 * PARENT of such a line is `-`. Answers each with a line: the number, 0 or 1, and what was said. Ends with its input.
 */
#define _GNU_SOURCE
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JOBS_MAX = 16, WORDS_MAX = 160, REQUEST_MAX = 1 << 20, SAID_MAX = 1000 };

struct job {
  pid_t pid;
  int said_fd;
  char number[16];
  char said[SAID_MAX];
  size_t length;
};

static struct job jobs[JOBS_MAX];
static size_t job_count;
static char input[REQUEST_MAX];
static size_t input_length;

static int has_request(size_t *length);
static void begin(size_t length);
static int act(int argc, char **argv);
static void listen_to(struct job *job);

int mounts_main(int argc, char **argv) {
  struct pollfd polled[JOBS_MAX + 1];
  size_t length;
  if (argc != 2) {
    fprintf(stderr, "skep-sandbox mounts PARENT\n");
    return 1;
  }
  mount_tie(argv[1]);
  mount_parent = getpid();
  for (;;) {
    while (job_count < JOBS_MAX && has_request(&length)) begin(length);
    size_t watched = job_count;
    for (size_t i = 0; i < watched; i++) polled[i] = (struct pollfd){.fd = jobs[i].said_fd, .events = POLLIN};
    /* What is there already comes first. */
    polled[watched] = (struct pollfd){.fd = job_count < JOBS_MAX ? STDIN_FILENO : -1, .events = POLLIN};
    if (poll(polled, watched + 1, -1) < 0) {
      if (errno == EINTR) continue;
      mount_fail("poll", "");
    }
    for (size_t i = watched; i-- > 0;)
      if (polled[i].revents != 0) listen_to(&jobs[i]);
    if (polled[watched].revents == 0) continue;
    ssize_t got = read(STDIN_FILENO, input + input_length, sizeof input - input_length);
    if (got <= 0) return 0;
    input_length += (size_t)got;
    if (input_length == sizeof input && !has_request(&length)) return 1;
  }
}

/* The length of the first whole one, with the NUL that ends it. */
static int has_request(size_t *length) {
  const char *end = memmem(input, input_length, "\0", 2);
  if (end == NULL) return 0;
  *length = (size_t)(end - input) + 2;
  return 1;
}

static void begin(size_t length) {
  char *words[WORDS_MAX + 1];
  int count = 0, said[2];
  struct job *job = &jobs[job_count];
  for (size_t at = 0; at < length - 1 && count < WORDS_MAX; at += strlen(input + at) + 1) words[count++] = input + at;
  words[count] = NULL;
  /* Those who mount in one moment take another device each. */
  if (count > 1 && (strcmp(words[1], "ground") == 0 || strcmp(words[1], "disk") == 0)) mount_turn = (mount_turn + 1) % JOBS_MAX;
  memset(job, 0, sizeof *job);
  snprintf(job->number, sizeof job->number, "%s", words[0]);
  if (pipe2(said, O_CLOEXEC) != 0) mount_fail("pipe", "");
  job->pid = fork();
  if (job->pid < 0) mount_fail("fork", "");
  if (job->pid == 0) {
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(nothing, STDOUT_FILENO) < 0 || dup2(said[1], STDERR_FILENO) < 0) _exit(1);
    exit(act(count - 1, words + 1));
  }
  close(said[1]);
  job->said_fd = said[0];
  job_count++;
  memmove(input, input + length, input_length - length);
  input_length -= length;
}

static int act(int argc, char **argv) {
  if (argc > 0 && strcmp(argv[0], "disk") == 0) return disk_main(argc, argv);
  if (argc > 0 && strcmp(argv[0], "overlay") == 0) return overlay_main(argc, argv);
  if (argc > 0 && strcmp(argv[0], "ground") == 0) return ground_main(argc, argv);
  if (argc > 0 && strcmp(argv[0], "clear") == 0) return clear_main(argc, argv);
  fprintf(stderr, "no such request\n");
  return 1;
}

static void listen_to(struct job *job) {
  char more[512];
  int status = 0;
  ssize_t got = read(job->said_fd, more, sizeof more);
  for (ssize_t i = 0; i < got && job->length < SAID_MAX - 1; i++) job->said[job->length++] = more[i] == '\n' ? ' ' : more[i];
  if (got > 0 || (got < 0 && errno == EINTR)) return;
  while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR) continue;
  dprintf(STDOUT_FILENO, "%s %d %s\n", job->number, status == 0 ? 0 : 1, job->said);
  close(job->said_fd);
  *job = jobs[--job_count];
}
