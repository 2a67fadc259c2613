#ifndef CEDIT_H
#define CEDIT_H

#include <stdbool.h>

// What the program needs of libedit: its functions are configured by global variables, which Swift cannot touch safely.

enum cedit_outcome { CEDIT_LINE = 0, CEDIT_END, CEDIT_WOKEN, CEDIT_LEFT };

// The line so far, up to the cursor → its last word's completions as malloc'd texts, NULL at the end, in a malloc'd list; or NULL.
typedef char **(*cedit_complete)(const char *line);
void cedit_prepare(const char *program, cedit_complete complete);

// One line from the terminal, malloc'd; NULL where `outcome` says why: the end of the input, a byte in the pipe `wake`
// (it is taken), or something to read from `watched`.
char *cedit_read(const char *prompt, int wake, int watched, enum cedit_outcome *outcome);

void cedit_remember(const char *line);
bool cedit_load_history(const char *path, int most);
bool cedit_save_history(const char *path);

#endif
