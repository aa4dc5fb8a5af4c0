#ifndef SKEP_MOUNT_H
#define SKEP_MOUNT_H

#include <sys/types.h>

/* Each ends with 0, or with 1 and a line on stderr. argv[0] is the word itself. */
int disk_main(int argc, char **argv);
int overlay_main(int argc, char **argv);
int mounts_main(int argc, char **argv);
int ground_main(int argc, char **argv);
int clear_main(int argc, char **argv);

/* As `disk make` and `disk end` do. */
void disk_make(const char *template, const char *folder);
void disk_end(const char *folder);

/* Prints what failed, on what, and the error's words; ends this process with 1. */
void mount_fail(const char *what, const char *path) __attribute__((noreturn));

/* This process ends with the one that has this id, which must be its parent still; `-` is the one of mount_parent. */
void mount_tie(const char *parent);
extern pid_t mount_parent;

/*
 * How far behind the first free loop device the one is that this process takes. All who ask in one moment are told the same, and one of them
 * gets it.
 */
extern int mount_turn;

/* A loop device over the file, which is free again when the last one that uses it closes it. Writes its path; returns a descriptor. */
int mount_loop(const char *image, int is_read_only, char *path, size_t path_size);

/* Mounts the file system in an image at a place that is a folder. */
void mount_image(const char *image, const char *place, int is_read_only);

/* Of a word that is one; fails on any other. */
uid_t mount_user_id(const char *text);

/* `first` and `second` with a slash between. */
void mount_path(char *into, size_t size, const char *first, const char *second);

/* A folder that may be there already; what else has its name is refused. */
void mount_folder(const char *path, mode_t mode);

#endif
