#include "CLua.h"
#include <lua.h>
const char *clua_version(void) { return LUA_RELEASE; }
