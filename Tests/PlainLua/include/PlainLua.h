#ifndef PLAIN_LUA_H
#define PLAIN_LUA_H

// Runs code in a Lua that is as it comes, without anything of ours, and gives the text it returns, or the error; the caller
// frees it. What our own functions are compared with.
char *plain_lua(const char *code);

#endif
