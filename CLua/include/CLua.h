#ifndef CLUA_H
#define CLUA_H
typedef struct lua_State lua_State;
const char *clua_version(void);
#endif
