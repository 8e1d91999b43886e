#pragma once

// macOS: a socket says that it wants no signal, not a call; and nothing is set while it is made.
#include_next <sys/socket.h>

#undef MSG_NOSIGNAL
#undef SOCK_CLOEXEC
#undef SOCK_NONBLOCK
#define SO_NOSIGPIPE 0x1022
