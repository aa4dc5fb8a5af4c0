#include "serve.h"
#include <string.h>

static const char *take(struct words *words, size_t length) {
  if (words->bad || (size_t)(words->end - words->at) < length) {
    words->bad = true;
    return NULL;
  }
  const char *at = words->at;
  words->at += length;
  return at;
}

uint32_t take_number(struct words *words) {
  uint32_t value = 0;
  const char *at = take(words, sizeof value);
  if (at != NULL) memcpy(&value, at, sizeof value);
  return value;
}

uint64_t take_large(struct words *words) {
  uint64_t value = 0;
  const char *at = take(words, sizeof value);
  if (at != NULL) memcpy(&value, at, sizeof value);
  return value;
}

const void *take_bytes(struct words *words, size_t *length) {
  *length = take_number(words);
  const char *at = take(words, *length);
  if (at == NULL) *length = 0;
  return at;
}

const char *take_text(struct words *words) {
  size_t length;
  const char *at = take_bytes(words, &length);
  if (at != NULL && length > 0 && memchr(at, '\0', length) == at + length - 1) return at;
  words->bad = true;
  return "";
}

uint32_t take_count(struct words *words, uint32_t max, size_t bytes_min) {
  uint32_t count = take_number(words);
  if (!words->bad && count <= max && count <= (size_t)(words->end - words->at) / bytes_min) return count;
  words->bad = true;
  return 0;
}
