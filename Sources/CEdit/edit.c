#define _GNU_SOURCE  // POLLRDHUP
#include "CEdit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <editline/readline.h>

static cedit_complete complete_line;
static int wake_end = -1, watched_end = -1;
static enum cedit_outcome last_outcome;

// The rest of a UTF-8 character whose first byte is there.
static int rest_of_character(int first) {
  int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  int code = first & (0x3F >> more);
  while (more-- > 0) {
    unsigned char byte;
    if (read(STDIN_FILENO, &byte, 1) != 1 || (byte & 0xC0) != 0x80) return '?';
    code = code << 6 | (byte & 0x3F);
  }
  return code;
}

// One character, as libedit wants it; -1 ends the line. Waits for whatever comes first: a key, Ctrl-C, the host's end.
static int next_character(FILE *stream) {
  (void)stream;
  for (;;) {
    struct pollfd ends[3] = { { STDIN_FILENO, POLLIN, 0 }, { wake_end, POLLIN, 0 }, { watched_end, POLLRDHUP, 0 } };
    unsigned char byte;
    if (poll(ends, 3, -1) < 0) {
      if (errno == EINTR) continue;
      return -1;
    }
    if (ends[1].revents) {
      if (read(wake_end, &byte, 1) < 0) return -1;
      last_outcome = CEDIT_WOKEN;
      return -1;
    }
    if (ends[2].revents) {
      last_outcome = CEDIT_LEFT;
      return -1;
    }
    if (!ends[0].revents) continue;
    ssize_t count = read(STDIN_FILENO, &byte, 1);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count != 1) return -1;
    return byte < 0xC0 ? byte : rest_of_character(byte);
  }
}

// libedit wants the longest common beginning first.
static char **completions(const char *word, int start, int end) {
  (void)word;
  (void)start;
  // No file names where there is nothing.
  rl_attempted_completion_over = 1;
  rl_completion_append_character = 0;
  char *line = strndup(rl_line_buffer, (size_t)end);
  char **words = line && complete_line ? complete_line(line) : NULL;
  free(line);
  if (!words || !words[0]) {
    free(words);
    return NULL;
  }
  size_t count = 0, common = strlen(words[0]);
  for (; words[count]; count++) {
    size_t same = 0;
    while (same < common && words[count][same] == words[0][same]) same++;
    common = same;
  }
  char **list = malloc((count + 2) * sizeof *list);
  if (!list) abort();
  list[0] = strndup(words[0], common);
  memcpy(list + 1, words, (count + 1) * sizeof *list);
  // One match stands for itself.
  if (count == 1) {
    free(list[1]);
    list[1] = NULL;
  }
  free(words);
  return list;
}

// libedit shows the prompt before it makes the terminal raw. Whoever types in between would see the line twice, and a Ctrl-C
// would take back a line that looks as if it had been sent.
static int make_raw(void) {
  rl_prep_terminal(1);
  return 0;
}

void cedit_prepare(const char *program, cedit_complete complete) {
  rl_readline_name = strdup(program);
  rl_getc_function = next_character;
  rl_catch_signals = 0;
  rl_pre_input_hook = make_raw;
  rl_initialize();
  complete_line = complete;
  rl_attempted_completion_function = completions;
  rl_basic_word_break_characters = " \t\n\"\\'`@$><=;|&{}()[],+*/%^#~";
  rl_completer_word_break_characters = (char *)rl_basic_word_break_characters;
  using_history();
}

char *cedit_read(const char *prompt, int wake, int watched, enum cedit_outcome *outcome) {
  wake_end = wake;
  watched_end = watched;
  last_outcome = CEDIT_END;
  char *line = readline(prompt);
  *outcome = line ? CEDIT_LINE : last_outcome;
  return line;
}

void cedit_remember(const char *line) {
  HIST_ENTRY *last = history_length > 0 ? history_get(history_base + history_length - 1) : NULL;
  if (last && strcmp(last->line, line) == 0) return;
  add_history(line);
}

bool cedit_load_history(const char *path, int most) {
  stifle_history(most);
  return read_history(path) == 0;
}

bool cedit_save_history(const char *path) { return write_history(path) == 0; }
